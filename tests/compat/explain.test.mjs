// POST /v1/events/explain: what a trigger would do, without doing it.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Carillon, program } from "./carillon.mjs";

let server;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  await workflow("hello", [
    { name: "Bell", stepId: "bell", type: "in_app", controlValues: { subject: "s", body: "Hi {{subscriber.firstName}} {{payload.n}}" } },
    { name: "Wait", stepId: "wait", type: "delay", controlValues: { type: "regular", amount: 2, unit: "hours" } },
    {
      name: "Mail", stepId: "mail", type: "email",
      controlValues: { subject: "Unread", body: "b", skip: { "==": [{ var: "steps.bell.read" }, false] } },
    },
  ]);
});
after(() => server?.stop());

async function workflow(workflowId, steps, more = {}) {
  const { status, body } = await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps, ...more });
  assert.equal(status, 201, JSON.stringify(body));
  return body.data;
}
const explain = async (body) => {
  const answer = await server.call("POST", "/v1/events/explain", { name: "hello", payload: {}, ...body });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.data;
};
const step = (timeline, id) => timeline.steps.find((s) => s.stepId === id);

/** Every byte that the server keeps. */
function bytes() {
  const hash = createHash("sha256");
  for (const name of readdirSync(server.dir).sort())
    if (!name.endsWith("-shm") && !name.endsWith(".lock")) {
      try {
        hash.update(name).update(readFileSync(join(server.dir, name)));
      } catch (error) {
        if (error.code !== "EISDIR") throw error;
      }
    }
  return hash.digest("hex");
}

test("a timeline in virtual time, with content and the rules that decided; nothing is stored", async () => {
  await server.call("GET", "/v2/subscribers");
  const before = bytes();
  const at = "2030-01-01T10:00:00.000Z";
  const data = await explain({
    to: { subscriberId: "new", firstName: "Ada", email: "ada@example.com" }, payload: { n: 7 }, at, transactionId: "x1",
    context: { tenant: "acme" }, tenant: { identifier: "t" }, actor: "boss",
  });
  assert.equal(data.status, "processed");
  assert.equal(data.transactionId, "x1");
  assert.equal(data.at, at);
  assert.equal(data.workflow.workflowId, "hello");
  assert.deepEqual(data.recipients, { total: 1, examined: 1, explained: 1, limit: 10, problems: [] });
  const [line] = data.timelines;
  assert.equal(line.subscriberId, "new");
  assert.equal(line.isNew, true);
  assert.equal(line.status, "completed");
  assert.equal(step(line, "bell").decision, "sent");
  assert.equal(step(line, "bell").messages[0].content.content, "Hi Ada 7");
  assert.equal(step(line, "wait").at, "2030-01-01T12:00:00.000Z");
  assert.equal(step(line, "wait").rule.kind, "delay");
  assert.equal(step(line, "mail").decision, "sent");
  assert.equal(step(line, "mail").integration.providerId, "novu-email");
  assert.equal(step(line, "mail").details[0].detail, "Step created");
  assert.equal(bytes(), before);
  for (const path of ["/v2/subscribers/new", "/v1/events/trigger/x1", "/v2/contexts/tenant/acme", "/v2/subscribers/boss"])
    assert.equal((await server.call("GET", path)).status, 404, path);
  assert.deepEqual((await server.call("GET", "/v1/notifications")).body.data, []);
});

test("what was read is assumed; the condition tells the values that it saw", async () => {
  const [line] = (await explain({ to: { subscriberId: "p", email: "p@example.com" }, assume: { reads: { bell: true } } })).timelines;
  assert.equal(step(line, "mail").decision, "skipped");
  assert.equal(step(line, "mail").rule.kind, "condition");
  assert.deepEqual(step(line, "mail").rule.evaluatedValues, { "steps.bell.read": true });
  assert.deepEqual(step(line, "mail").rule.condition, { "==": [{ var: "steps.bell.read" }, false] });
});

test("until stops the clock; a missing address says so", async () => {
  const at = "2030-01-01T10:00:00.000Z";
  let [line] = (await explain({ to: "p", at, until: "2030-01-01T11:00:00.000Z" })).timelines;
  assert.equal(line.status, "processing");
  assert.equal(step(line, "wait").decision, "waiting");
  assert.equal(step(line, "wait").dueAt, "2030-01-01T12:00:00.000Z");
  assert.equal(step(line, "mail").decision, "pending");
  [line] = (await explain({ to: "p", at })).timelines;
  assert.equal(step(line, "mail").decision, "skipped");
  assert.equal(step(line, "mail").rule.kind, "address");
});

test("preferences name their layer and row", async () => {
  await server.call("POST", "/v2/subscribers", { subscriberId: "quiet", email: "q@example.com" });
  const set = await server.call("PATCH", "/v2/subscribers/quiet/preferences", { workflowId: "hello", channels: { email: false } });
  assert.equal(set.status, 200, set.text);
  const [line] = (await explain({ to: "quiet" })).timelines;
  const { rule, decision } = step(line, "mail");
  assert.equal(decision, "skipped");
  assert.equal(rule.kind, "preference");
  assert.equal(rule.preference.layer, "subscriberWorkflow");
  assert.equal(rule.preference.row.channels.email, false);
});

test("topics and broadcasts: the first are explained, all are counted, filtered ones told", async () => {
  const ids = Array.from({ length: 15 }, (_, i) => `m${String(i).padStart(2, "0")}`);
  for (const subscriberId of ids) await server.call("POST", "/v2/subscribers", { subscriberId });
  await server.call("POST", "/v2/topics", { key: "news", name: "News" });
  const joined = await server.call("POST", "/v2/topics/news/subscriptions", { subscriberIds: ids });
  assert.equal(joined.status, 201, joined.text);
  const data = await explain({ to: ["m03", { type: "Topic", topicKey: "news" }], limit: 5 });
  assert.equal(data.recipients.explained, 5);
  assert.equal(data.recipients.limit, 5);
  assert.equal(data.recipients.total, 16);
  assert.equal(new Set(data.timelines.map((t) => t.subscriberId)).size, 5);
  assert.equal(data.timelines[1].topics[0].topicKey, "news");
  const all = await explain({ broadcast: true, payload: {}, limit: 100 });
  assert.equal(all.recipients.total, all.timelines.length);
  assert.ok(all.timelines.length >= 16);
});

test("a used transactionId starts nothing; an inactive workflow says its status", async () => {
  await server.call("POST", "/v1/events/trigger", { name: "hello", to: "p", payload: {}, transactionId: "used" });
  const data = await explain({ to: "p", transactionId: "used" });
  assert.equal(data.isDuplicate, true);
  assert.deepEqual(data.timelines, []);
  await workflow("empty", []);
  assert.equal((await explain({ name: "empty", to: "p" })).status, "no_workflow_steps_defined");
});

test("what a trigger refuses, explain refuses with the same words", async () => {
  const bodies = [
    {}, { name: "hello" }, { name: "hello", to: "" }, { name: "hello", to: "p", payload: 3 }, { name: "nothing", to: "p" },
    { name: "hello", to: "p", agentId: "x" }, { name: "hello", to: "p", overrides: [] }, { name: "hello", to: "p", transactionId: 4 },
    { name: "hello", to: "p", payload: { attachments: [{}] } }, { name: "hello", to: "p", context: { "A B": "x" } },
  ];
  for (const body of bodies) {
    const told = await server.call("POST", "/v1/events/explain", body);
    const triggered = await server.call("POST", "/v1/events/trigger", body);
    assert.ok(triggered.status >= 400, JSON.stringify(body));
    assert.equal(told.status, triggered.status, JSON.stringify(body));
    assert.deepEqual(told.body.message, triggered.body.message);
    assert.deepEqual(told.body.errors, triggered.body.errors);
  }
});

test("wrong additions are told one by one", async () => {
  const wrong = async (more) => {
    const { status, body } = await server.call("POST", "/v1/events/explain", { name: "hello", to: "p", ...more });
    assert.equal(status, 422, JSON.stringify(body));
    return body.errors.general.messages;
  };
  assert.deepEqual(await wrong({ at: "soon" }), ["at must be a valid ISO 8601 date string"]);
  assert.deepEqual(await wrong({ at: "2030-01-02", until: "2030-01-01" }), ["until must not be before at"]);
  assert.deepEqual(await wrong({ limit: 0 }), ["limit must be an integer from 1 to 100"]);
  assert.deepEqual(await wrong({ limit: "x" }), ["limit must be an integer from 1 to 100"]);
  assert.deepEqual(await wrong({ assume: 1 }), ["assume must be an object"]);
  assert.deepEqual(await wrong({ assume: { reads: { nobody: true }, deliveries: { mail: [] }, calls: { mail: { status: 7 } } } }), [
    "assume.reads.nobody is not a step of the workflow",
    "assume.deliveries.mail must be sent, retry, failed, or a non-empty array of those",
    "assume.calls.mail must be unreachable, timeout, or an object with a status from 100 to 599",
  ]);
});

test("carillon explain prints a timeline, or the JSON", () => {
  const run = (...args) =>
    execFileSync(program, ["explain", ...args, "--url", server.url, "--secret-key", server.dev.secretKey], { encoding: "utf8" });
  const text = run("hello", "--to", "quiet", "--payload", '{"n":3}', "--at", "2030-01-01T10:00:00Z");
  assert.match(text, /^processed at 2030-01-01T10:00:00\.000Z$/m);
  assert.match(text, /bell \(in_app\): sent by delivery/);
  assert.match(text, /content: Hi {2}3/);
  assert.match(text, /2030-01-01T12:00:00\.000Z wait \(delay\): passed by delay/);
  assert.match(text, /mail \(email\): skipped by preference/);
  const json = JSON.parse(run("hello", "--broadcast", "--limit", "2", "--json"));
  assert.equal(json.data.timelines.length, 2);
  assert.throws(() => run("nothing", "--to", "p"), /workflow_not_found|Command failed/);
});

// --- decisions ---------------------------------------------------------------------------------------------------

const decisions = async (id, query = "") => {
  const answer = await server.call("GET", `/v1/subscribers/${id}/decisions${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};
const advance = async (duration) => {
  const { status, text } = await server.call("POST", "/v1/testing/clock", { advance: duration });
  assert.ok(status < 300, text);
};

test("decisions: runs with their rules, a preference that said no, a transactionId used again", async () => {
  await server.call("POST", "/v1/events/trigger", { name: "hello", to: "quiet", payload: {}, transactionId: "d1" });
  await advance("PT1S");          // what is of one moment has no order
  for (let i = 0; i < 3; i++)
    await server.call("POST", "/v1/events/trigger", { name: "hello", to: ["quiet", "ghost"], payload: {}, transactionId: "d1" });
  await advance("PT3H");
  const { data, next } = await decisions("quiet");
  assert.equal(next, null);
  assert.deepEqual(data.map((d) => d.kind), ["duplicate", "run"]);
  assert.deepEqual(data[0].rule, { kind: "transactionId", times: 3 });
  assert.equal(data[0].transactionId, "d1");
  assert.equal(data[1].workflow.workflowId, "hello");
  assert.equal(data[1].workflow.version, 1);
  const mail = data[1].decisions.find((d) => d.stepId === "mail");
  assert.equal(mail.decision, "skipped");
  assert.equal(mail.rule.kind, "preference");
  assert.equal(mail.rule.layer, "subscriberWorkflow");
  // The repeated trigger made nobody.
  assert.equal((await server.call("GET", "/v1/subscribers/ghost/decisions")).status, 404);
});

test("decisions: topics that a subscription kept away, filters, pages", async () => {
  await server.call("POST", "/v2/topics", { key: "picky", name: "Picky" });
  const made = await server.call("POST", "/v2/topics/picky/subscriptions", {
    subscriptions: [{ identifier: "picky-quiet", subscriberId: "quiet" }], name: "Picky",
    preferences: [{ filter: { workflowIds: ["hello"] }, condition: { "==": [{ var: "payload.level" }, "high"] } }],
  });
  assert.equal(made.status, 201, made.text);
  await server.call("POST", "/v1/events/trigger", { name: "hello", to: { type: "Topic", topicKey: "picky" }, payload: { level: "low" }, transactionId: "t1" });
  let data;
  for (let i = 0; i < 100 && data?.[0]?.kind !== "filtered"; i++) ({ data } = await decisions("quiet"));
  assert.equal(data[0].kind, "filtered");
  assert.equal(data[0].transactionId, "t1");
  assert.equal(data[0].workflow.version, 1);
  assert.equal(data[0].rule.kind, "subscription");
  assert.equal(data[0].rule.topics[0].preferenceEvaluation.result, false);
  const first = await decisions("quiet", "?limit=2");
  assert.equal(first.data.length, 2);
  const rest = await decisions("quiet", `?limit=2&after=${first.next}`);
  assert.equal(rest.next, null);
  assert.deepEqual([...first.data, ...rest.data], data);
  assert.equal((await decisions("quiet", "?workflow=hello")).data.length, 3);
  assert.equal((await decisions("quiet", "?workflow=empty")).data.length, 0);
  assert.equal((await decisions("quiet", `?from=${data[0].at}`)).data.length, 1);
  assert.equal((await decisions("quiet", "?to=2001-01-01")).data.length, 0);
  for (const [query, status] of [["?from=x", 422], ["?limit=0", 422], ["?after=x", 422], ["?workflow=nothing", 404],
    ["?from=2030-01-01&to=2029-01-01", 422]])
    assert.equal((await server.call("GET", `/v1/subscribers/quiet/decisions${query}`)).status, status, query);
  assert.equal((await server.call("GET", "/v1/subscribers/nobody/decisions")).status, 404);
});
