// Filters of older workflows' steps, and what a workflow does differently for a tenant (engine.md §5.3, §6.3).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Carillon, until } from "./carillon.mjs";

let server, group, sink, hook, answer;
const asked = [];
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  group = (await server.call("POST", "/v1/notification-groups", { name: "General" })).body.data._id;
  sink = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    asked.push({ url: request.url, headers: request.headers, body: JSON.parse(text) });
    const said = answer(request.url, asked.length);
    response.writeHead(said.status ?? 200).end(typeof said.body === "string" ? said.body : JSON.stringify(said.body ?? {}));
  }).listen(0, "127.0.0.1");
  await once(sink, "listening");
  hook = `http://127.0.0.1:${sink.address().port}`;
});
after(async () => {
  await server?.stop();
  sink?.closeAllConnections();
  sink?.close();
});

const move = (advance) => server.call("POST", "/v1/testing/clock", { advance });
let made = 0;
/** A workflow of these steps; its identifier. */
const workflow = async (...steps) => {
  const { status, body } = await server.call("POST", "/v1/notification-templates", { name: `w${++made}`, notificationGroupId: group, active: true, steps });
  assert.equal(status, 201, JSON.stringify(body));
  return body.data;
};
const bell = (filters, more) => ({ template: { type: "in_app", content: "x" }, filters, ...more });
const group1 = (value, ...children) => [{ type: "GROUP", value, isNegated: false, children }];
const run = async (name, payload = {}, more = {}) => {
  const { body } = await server.call("POST", "/v1/events/trigger", { name, to: { subscriberId: "ada", data: { tier: "gold", age: 7 } }, payload, ...more });
  await move("PT0S");
  return read(body.data.transactionId);
};
const read = async (transactionId) => (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0];
const steps = (r) => r.jobs.slice(1).map((j) => j.status);
const webhook = (path, field, value, operator = "EQUAL") => ({ on: "webhook", webhookUrl: hook + path, field, value, operator });

test("fields of the payload, the subscriber and the tenant decide, as what they are", async () => {
  const field = (on, name, operator, value) => ({ on, field: name, operator, value });
  const cases = [
    [group1("AND", field("payload", "n", "EQUAL", "5")), true],
    [group1("AND", field("payload", "n", "LARGER", "10")), false],
    [group1("AND", field("payload", "a.b", "IS_DEFINED", "")), true],
    [group1("AND", field("payload", "a.c", "IS_DEFINED", "")), false],
    [group1("AND", field("payload", "yes", "EQUAL", "true")), true],
    [group1("AND", field("payload", "list", "IN", "two")), true],
    [group1("AND", field("payload", "list", "NOT_IN", "two")), false],
    [group1("AND", field("subscriber", "data.tier", "EQUAL", "gold"), field("subscriber", "data.age", "SMALLER_EQUAL", "7")), true],
    [group1("AND", field("subscriber", "data.tier", "EQUAL", "gold"), field("payload", "n", "EQUAL", "6")), false],
    [group1("OR", field("subscriber", "data.tier", "EQUAL", "lead"), field("payload", "n", "NOT_EQUAL", "6")), true],
    [group1("OR", field("subscriber", "data.tier", "EQUAL", "{{payload.tier}}"), field("payload", "n", "EQUAL", "6")), true],
    [group1("AND", field("tenant", "data.plan", "EQUAL", "pro"), field("tenant", "identifier", "EQUAL", "acme")), true],
    [group1("XOR", field("payload", "n", "EQUAL", "5"), field("payload", "n", "EQUAL", "5")), false],
    [group1("AND"), true],
    [[...group1("AND", field("payload", "n", "EQUAL", "1")), ...group1("AND", field("payload", "n", "EQUAL", "5"))], true],
    [group1("AND", { on: "isOnline", value: false }), false],
    [group1("AND", { on: "isOnlineInLast", timeOperator: "minutes", value: 5 }), false],
    [group1("AND", { on: "previousStep", step: "none", stepType: "read" }), true],
  ];
  const w = await workflow(...cases.map(([filters]) => bell(filters)));
  const r = await run(w.triggers[0].identifier, { n: 5, yes: true, a: { b: null }, list: ["one", "two"], tier: "gold" }, { tenant: { identifier: "acme", data: { plan: "pro" } } });
  assert.deepEqual(steps(r), cases.map(([, passes]) => (passes ? "completed" : "canceled")));
  const said = r.jobs[2].executionDetails.find((d) => d.detail === "Step was skipped based on steps conditions");
  assert.deepEqual(JSON.parse(said.raw).filter, { passed: false, conditions: [
    { filter: "payload", field: "n", expected: "10", actual: "5", operator: "LARGER", passed: false }] });
});

test("a webhook decides: it is asked once, signed, and only where it matters", async () => {
  asked.length = 0;
  answer = (url) => ({ body: url === "/yes" ? { ok: true, deep: { n: 3 } } : { ok: false } });
  const never = { on: "payload", field: "n", operator: "EQUAL", value: "6" }, always = { ...never, value: "5" };
  const w = await workflow(
    bell(group1("AND", webhook("/yes", "ok", "true"), webhook("/yes", "deep.n", "2", "LARGER"))),
    bell(group1("AND", webhook("/no", "ok", "true"))),
    bell(group1("AND", webhook("/unasked", "ok", "true"), never)),
    bell(group1("OR", webhook("/unasked", "ok", "true"), always)),
    bell([...group1("AND", webhook("/no", "ok", "true"), webhook("/unasked", "ok", "true")), ...group1("OR", never, webhook("/yes", "ok", "true"))]),
    bell(group1("AND", { on: "webhook", field: "ok", operator: "EQUAL", value: "true" })));
  const r = await run(w.triggers[0].identifier, { n: 5 });
  assert.deepEqual(steps(r), ["completed", "canceled", "canceled", "completed", "completed", "canceled"]);
  assert.deepEqual(asked.map((a) => a.url), ["/yes", "/yes", "/no", "/no", "/yes"]);
  const [{ body, headers }] = asked;
  assert.deepEqual([body.subscriber.subscriberId, body.subscriber.data.tier, body.payload, body.identifier, body.channel, body.providerId],
    ["ada", "gold", { n: 5 }, w.triggers[0].identifier, "in_app", "novu"]);
  assert.equal(headers["nv-hmac-256"], createHmac("sha256", server.dev.secretKey).update(w._environmentId).digest("hex"));
  assert.equal(headers["novu-signature"], undefined);
});

test("a webhook that does not answer is asked three times; then the step fails and the run goes on", async () => {
  answer = (url, n) => (url === "/late" && n > 2 ? { body: { ok: true } } : { status: 503, body: "no" });
  asked.length = 0;
  const w = await workflow(bell(group1("AND", webhook("/late", "ok", "true"))), bell(group1("AND", webhook("/down", "ok", "true"))),
    bell(group1("AND", webhook("/text", "ok", "true", "NOT_EQUAL"))));
  let r = await run(w.triggers[0].identifier);
  assert.equal(r.jobs[1].status, "running");
  const retry = r.jobs[1].executionDetails.at(-1);
  assert.deepEqual([retry.detail, retry.status, retry.source, retry.isRetry], ["Webhook filter failed, retry will be executed", "Pending", "Webhook", true]);
  assert.deepEqual(JSON.parse(retry.raw), { message: "Request failed with status code 503", attempt: 1 });
  answer = ((old) => (url, n) => (url === "/text" ? { body: "not json" } : old(url, n)))(answer);
  for (let i = 0; i < 8; i++) await move("PT8S");
  r = await read(r.transactionId);
  assert.deepEqual(steps(r), ["completed", "failed", "completed"]);
  assert.deepEqual(asked.map((a) => a.url), ["/late", "/late", "/late", "/down", "/down", "/down", "/text"]);
  const last = r.jobs[2].executionDetails.at(-1);
  assert.deepEqual([last.detail, last.isRetry, JSON.parse(last.raw).attempt], ["Failed to get response from remote webhook filter on last retry", true, 3]);
  const bad = await server.call("POST", "/v1/notification-templates", { name: "bad", notificationGroupId: group, steps: [bell(group1("AND", { ...webhook("", "ok", "true"), webhookUrl: "ftp://x.example/" }))] });
  assert.equal(bad.status, 422);
  assert.match(JSON.stringify(bad.body), /steps\.0\.filters\.0\.children\.0\.webhookUrl: URL scheme/);
  answer = () => ({ status: 302 });
  const metadata = await workflow(bell(group1("AND", webhook("/moved", "ok", "true"))));
  sink.once("request", (_, response) => response.setHeader("Location", "http://169.254.169.254/latest"));
  const refused = await run(metadata.triggers[0].identifier);
  assert.deepEqual(steps(refused), ["failed"], "what may not be asked is not asked again");
});

test("a delay behind a webhook waits only when that says so; an explained run assumes its answer", async () => {
  answer = () => ({ body: { ok: true } });
  const w = await workflow({ template: { type: "delay" }, metadata: { type: "regular", amount: 1, unit: "hours" }, filters: group1("AND", webhook("/wait", "ok", "true")) }, bell([]));
  const name = w.triggers[0].identifier;
  let r = await run(name);
  assert.deepEqual(steps(r), ["delayed", "pending"]);
  await move("PT1H");
  assert.deepEqual(steps(await read(r.transactionId)), ["completed", "completed"]);
  answer = () => ({ body: { ok: false } });
  r = await run(name);
  assert.deepEqual(steps(r), ["skipped", "completed"]);
  asked.length = 0;
  const { stepId } = (await server.call("GET", `/v2/workflows/${w._id}`)).body.data.steps[0];
  const explain = async (assume) => {
    const { body } = await server.call("POST", "/v1/events/explain", { name, to: "ada", payload: {}, assume });
    assert.ok(body.data, JSON.stringify(body));
    return body.data.timelines[0];
  };
  assert.equal((await explain({ calls: { [stepId]: { status: 200, body: { ok: true } } } })).steps[0].decision, "passed");
  assert.equal((await explain()).steps[0].decision, "skipped");
  assert.equal(asked.length, 0);
});

test("what is canceled while a webhook thinks does not begin", async () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const slow = createServer(async (request, response) => {
    await held;
    response.end('{"ok":true}');
  }).listen(0, "127.0.0.1");
  await once(slow, "listening");
  const url = `http://127.0.0.1:${slow.address().port}`;
  const part = group1("AND", { ...webhook("", "ok", "true"), webhookUrl: `${url}/think` });
  const bells = await workflow(bell(part));
  const trigger = async (name) => (await server.call("POST", "/v1/events/trigger", { name, to: "ada", payload: {} })).body.data.transactionId;
  const id = await trigger(bells.triggers[0].identifier);
  await until(async () => (await read(id))?.jobs[1].status === "running", "the question");
  assert.equal((await server.call("DELETE", `/v1/events/trigger/${id}`)).body.data, true);
  release();
  await move("PT0S");
  assert.deepEqual(steps(await read(id)), ["canceled"]);
  assert.deepEqual((await server.call("GET", `/v1/messages?transactionId=${id}`)).body.data, []);
  slow.closeAllConnections();
  slow.close();
});

test("a step that is off besides tells of the preference", async () => {
  const w = await workflow(bell(group1("AND", { on: "payload", field: "n", operator: "EQUAL", value: "6" })));
  await server.call("PATCH", "/v2/subscribers/ada/preferences", { workflowId: w._id, channels: { in_app: false } });
  const r = await run(w.triggers[0].identifier, { n: 5 });
  assert.deepEqual(r.jobs[1].executionDetails.slice(-2).map((d) => d.detail),
    ["Step was skipped based on steps conditions", "Step filtered by subscriber workflow preferences"]);
  const why = await server.call("GET", `/v1/subscribers/ada/decisions?transactionId=${r.transactionId}`);
  assert.equal(why.status, 200);
});

test("a tenant's override switches channels of the workflow, below what the subscriber chose", async () => {
  const w = await workflow(bell([]), { template: { type: "sms", content: "x" } });
  const name = w.triggers[0].identifier;
  const tenant = (await server.call("POST", "/v1/tenants", { identifier: "globex", name: "Globex" })).body.data;
  const override = await server.call("POST", "/v1/workflow-overrides", { workflowId: w._id, tenantId: tenant._id, active: true, preferenceSettings: { sms: false, email: true } });
  assert.equal(override.status, 200 + (override.status === 201), JSON.stringify(override.body));
  const trigger = async (subscriberId, more) => {
    const { body } = await server.call("POST", "/v1/events/trigger", { name, to: { subscriberId, phone: "+491" }, payload: {}, ...more });
    await move("PT0S");
    return read(body.data.transactionId);
  };
  assert.deepEqual(steps(await trigger("eve")), ["completed", "completed"]);
  const off = await trigger("eve", { tenant: "globex" });
  assert.deepEqual(steps(off), ["completed", "canceled"]);
  const said = off.jobs[2].executionDetails.at(-1);
  assert.equal(said.detail, "Step filtered by workflow preferences");
  assert.deepEqual(JSON.parse(said.raw), { enabled: true, channels: { in_app: true, sms: false },
    overrides: [{ channel: "in_app", source: "template" }, { channel: "sms", source: "workflowOverride" }] });
  const { body } = await server.call("POST", "/v1/events/explain", { name, to: "eve", payload: {}, tenant: "globex" });
  assert.deepEqual(body.data.timelines[0].steps[1].rule.preference, { channel: "sms", layer: "tenant" });
  await server.call("PATCH", "/v2/subscribers/eve/preferences", { workflowId: w._id, channels: { sms: true } });
  assert.deepEqual(steps(await trigger("eve", { tenant: "globex" })), ["completed", "completed"]);
  await server.call("PUT", `/v1/workflow-overrides/${override.body.data._id}`, { active: false });
  assert.equal((await server.call("POST", "/v1/events/trigger", { name, to: "eve", tenant: "globex" })).body.data.status, "trigger_not_active");
});
