// Workflows that cannot work: each is refused, or told of, or ends; the reason is in the answer or in the activity feed,
// and nothing is left running.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Carillon, until } from "./carillon.mjs";

let server, made = 0;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual", "--retention-days", "0"] });
});
after(() => server?.stop());

const step = (type, controlValues, name = "It") => ({ name, type, controlValues });
const bell = (body = "end", more = {}) => step("in_app", { body, ...more }, "Bell");
const create = (steps, more = {}, workflowId = `bad-${++made}`) => server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps, ...more });
const issues = (workflow) => workflow.steps.flatMap((s) => Object.values(s.issues?.controls ?? {}).flat().map((i) => i.message));
const runs = async (transactionId) => (await server.call("GET", `/v1/notifications?transactionId=${transactionId}&limit=50`)).body.data;

/** Triggers it and lets `advance` pass. Returns the trigger's answer and the run's jobs with their details. */
async function run(workflowId, { payload = {}, to = "ana", advance = "P400D" } = {}) {
  const answer = await server.call("POST", "/v1/events/trigger", { name: workflowId, to, payload });
  if (answer.status !== 201) return { answer };
  const clock = await server.call("POST", "/v1/testing/clock", { advance });
  assert.equal(clock.status, 200, clock.text);
  const [one] = await until(async () => ((await runs(answer.body.data.transactionId)).length ? runs(answer.body.data.transactionId) : null), "the run");
  const jobs = one.jobs.filter((job) => job.type !== "trigger");
  for (const job of one.jobs)
    assert.ok(["completed", "failed", "canceled", "skipped", "merged"].includes(job.status), `${job.type} is ${job.status} for ever`);
  return { answer, one, jobs, details: jobs.flatMap((job) => job.executionDetails.map((d) => `${job.type}: ${d.detail} ${d.raw ?? ""}`)) };
}

const told = [
  // [what, steps, an issue in the answer (or null), what the activity feed says (or null), payload]
  ["an unknown variable", [bell("{{subscriber.nickname}}")], 'Variable "subscriber.nickname" is not supported', null],
  ["a step that is not there", [bell("{{steps.none.events}}")], 'Variable "steps.none.events" is not supported', null],
  ["an unknown environment variable", [bell("{{env.NONE}}")], 'Variable "env.NONE" is not supported', null],
  ["an unknown filter", [bell("{{payload.a | explode}}")], "undefined filter: explode", null],
  ["Liquid that does not end", [bell("{{payload.a")], "not closed", /in_app: Message content could not be generated .*not closed/],
  ["a loop without end", [bell("{% for i in (1..100000000) %}x{% endfor %}")], null, /could not be generated .*limit exceeded/],
  ["a day that no month has", [step("delay", { type: "timed", cron: "0 0 30 2 *" }), bell()], "Invalid explicit day of month definition",
    /delay: Invalid delay configuration .*Invalid explicit day of month definition/],
  ["a cron that never comes", [step("digest", { type: "timed", cron: "0 0 31 4,6,9,11 *" }), bell()], null,
    /digest: Invalid delay configuration .*loop limit exceeded/],
  ["a minute beyond the hour", [step("digest", { type: "timed", cron: "99 * * * *" }), bell()], "got value 99 expected range 0-59",
    /digest: Invalid delay configuration .*got value 99 expected range 0-59/],
  ["an empty cron", [step("delay", { type: "timed", cron: "" }), bell()], "Cron is required", /delay: Invalid delay configuration .*The cron expression is empty/],
  ["an empty cron of a digest", [step("digest", { type: "timed", cron: "" }), bell()], "Cron is required", /digest: Invalid delay configuration .*The cron expression is empty/],
  ["a negative delay", [step("delay", { type: "regular", amount: -5, unit: "minutes" }), bell()], "must be >= 1",
    /delay: Invalid delay configuration .*The delay's amount or unit is not valid/],
  ["a delay of nothing", [step("delay", { type: "regular", amount: 0, unit: "minutes" }), bell()], "must be >= 1", /Regular delay must be in the future/],
  ["a delay beyond the year 9999", [step("delay", { type: "regular", amount: 100000000000, unit: "days" }), bell()], null, /The delay's amount or unit is not valid/],
  ["a unit that is none", [step("delay", { type: "regular", amount: 1, unit: "fortnights" }), bell()], "must be equal to one of the allowed values",
    /The delay's amount or unit is not valid/],
  ["a negative digest", [step("digest", { type: "regular", amount: -1, unit: "minutes" }), bell()], "must be >= 1", /digest: Invalid delay configuration .*The digest's amount/],
  ["a negative look back", [step("digest", { type: "regular", amount: 1, unit: "minutes", lookBackWindow: { amount: -1, unit: "minutes" } }), bell()],
    "must be >= 1", /lookBackWindow is not valid/],
  ["a negative throttle", [step("throttle", { type: "fixed", amount: -1, unit: "minutes" }), bell()], "must be >= 1", null],
  ["a threshold of nothing", [step("throttle", { type: "fixed", amount: 1, unit: "minutes", threshold: 0 }), bell()], "must be >= 1", null],
  ["a date in the past", [step("delay", { type: "dynamic", dynamicKey: "payload.at" }), bell()], null, /Dynamic delay must be in the future/, { at: "2020-01-01T00:00:00Z" }],
  ["a date that is none", [step("delay", { type: "dynamic", dynamicKey: "payload.at" }), bell()], null, /no ISO 8601 date and no \{amount, unit\} at payload\.at/, { at: "soon" }],
  ["a negative duration", [step("delay", { type: "dynamic", dynamicKey: "payload.at" }), bell()], null, /no ISO 8601 date and no \{amount, unit\}/, { at: { amount: -1, unit: "hours" } }],
  ["an unknown operator", [bell("x", { skip: { explode: [{ var: "payload.a" }] } })], null, /Failed to evaluate rule: Unrecognized operation explode/],
  ["no address to call", [step("http_request", { method: "POST", url: "" }), bell()], null, /HTTP request step is missing a URL/],
  ["a file to call", [step("http_request", { method: "POST", url: "{{payload.u}}" }), bell()], null, /URL scheme \\"file:\\" is not allowed/, { u: "file:///etc/passwd" }],
];

for (const [what, steps, issue, detail, payload] of told)
  test(`${what}: ${issue ? "an issue in the answer" : ""}${issue && detail ? ", and " : ""}${detail ? "the step says why" : ""}`, async () => {
    const { status, body, text } = await create(steps);
    assert.equal(status, 201, text);
    assert.equal(body.data.status, issue ? "ERROR" : body.data.status);
    if (issue) assert.ok(issues(body.data).some((m) => m.includes(issue)), JSON.stringify(issues(body.data)));
    const { details, jobs } = await run(body.data.workflowId, { payload });
    if (!detail) return;
    assert.match(details.join("\n"), detail);
    assert.equal(jobs[0].status, "failed");
    if (jobs[1]) assert.equal(jobs[1].status, "canceled");
  });

test("conditions: nested as deep as JSON may be they are decided, deeper they are refused", async () => {
  const nested = (levels) => {
    let v = '{"==":[{"var":"payload.a"},1]}';
    for (let i = 0; i < levels; i++) v = `{"and":[${v}]}`;
    return `{"name":"deep","workflowId":"deep-${levels}","active":true,"steps":[{"name":"Bell","type":"in_app","controlValues":{"body":"x","skip":${v}}}]}`;
  };
  assert.equal((await server.call("POST", "/v2/workflows", nested(90))).status, 201);
  assert.equal((await run("deep-90", { payload: { a: 1 } })).jobs[0].status, "completed");
  assert.equal((await run("deep-90", { payload: { a: 2 } })).jobs[0].status, "canceled");
  for (const levels of [100, 200, 100000]) {
    const { status, body } = await server.call("POST", "/v2/workflows", nested(levels));
    assert.equal(status, 400);
    assert.equal(body.message, "JSON is nested deeper than 200 levels");
  }
});

test("a time zone that does not exist is UTC, and the step says so", async () => {
  const { body } = await create([step("delay", { type: "timed", cron: "0 9 * * *" }), step("sms", { body: "x" }, "Text")]);
  for (const [subscriberId, timezone] of [["mars", "Mars/Olympus"], ["late", "UTC+25"]]) {
    await run(body.data.workflowId, { to: { subscriberId, timezone, phone: "+15550100" } });      // the API of subscribers takes only zones that there are
    const never = { isEnabled: true, weeklySchedule: { monday: { isEnabled: false } } };
    assert.equal((await server.call("PATCH", `/v2/subscribers/${subscriberId}/preferences`, { schedule: never })).status, 200);
    const { jobs, details } = await run(body.data.workflowId, { to: subscriberId });
    const delayed = JSON.parse(jobs[0].executionDetails.find((d) => d.detail === "Step delayed").raw);
    assert.match(delayed.untilDate, /T09:00:00\.000Z$/);
    assert.equal(delayed.warning, `There is no time zone ${timezone}: UTC is used`);
    assert.ok(details.some((d) => d.includes('outside the subscriber\'s schedule') && d.includes(`"timezone":"UTC","warning":"There is no time zone ${timezone}`)), details.join("\n"));
  }
});

test("payloads: too large, too deep, and with what looks like references", async () => {
  const { body: { data: { workflowId } } } = await create([bell("{{payload.t | size}}")]);
  for (const [bytes, says] of [[1 << 20, /^Payload size \(\d+ bytes\) exceeds maximum allowed size of 524288 bytes/], [40 << 20, /^Payload Too Large$/]]) {
    const { answer } = await run(workflowId, { payload: { t: "x".repeat(bytes) } });
    assert.equal(answer.status, 413);
    assert.match(answer.body.message, says);
  }
  const deep = `{"name":"${workflowId}","to":"ana","payload":${'{"a":'.repeat(300)}1${"}".repeat(300)}}`;
  const refused = await server.call("POST", "/v1/events/trigger", deep);
  assert.deepEqual([refused.status, refused.body.message], [400, "JSON is nested deeper than 200 levels"]);
  const odd = { $ref: "#", a: { $ref: "#/a" }, constructor: { prototype: { x: 1 } }, t: "abc" };
  const { one } = await run(workflowId, { payload: odd });
  assert.deepEqual(one.payload.a, odd.a);
  assert.equal(one.jobs.at(-1).status, "completed");
});

test("payload schemas that refer to themselves, cannot be compiled, or could take for ever", async () => {
  const recursive = (await create([bell()], { payloadSchema: { type: "object", properties: { a: { $ref: "#" }, n: { type: "number" } } }, validatePayload: true })).body.data.workflowId;
  assert.equal((await run(recursive, { payload: { a: { a: { n: 1 } } } })).jobs[0].status, "completed");
  const wrong = await run(recursive, { payload: { a: { a: { n: "x" } } } });
  assert.equal(wrong.answer.status, 400);
  for (const payloadSchema of [{ $ref: "#" }, { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, properties: { x: { $ref: "#/$defs/a" } } }]) {
    const { body } = await create([bell()], { payloadSchema, validatePayload: true });
    const { answer } = await run(body.data.workflowId, { payload: { x: 1 } });
    assert.deepEqual([answer.status, answer.body.message], [400, "schema recurses deeper than 700 levels"]);
  }
  const bad = await create([bell()], { payloadSchema: { type: "object", properties: { a: { type: "string", pattern: "(((" } } }, validatePayload: true });
  assert.equal(bad.status, 422);
  assert.match(bad.text, /invalid regular expression: \(\(\(/);
  const evil = (await create([bell()], { payloadSchema: { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } }, validatePayload: true })).body.data.workflowId;
  const began = Date.now();
  assert.equal((await run(evil, { payload: { a: "a".repeat(60) + "!" } })).answer.status, 400);
  assert.ok(Date.now() - began < 5000);
});

test("too many steps are refused, none are told of", async () => {
  const many = await create(Array.from({ length: 101 }, (_, i) => ({ ...bell(), name: `b${i}` })));
  assert.equal(many.status, 400);
  assert.match(many.body.message, /^Workflow steps limit exceeded/);
  const none = await create([]);
  assert.equal((await run(none.body.data.workflowId).catch(() => 0)) || 0, 0);
});

test("workflows that trigger one another without end are stopped, and the last says why", async () => {
  const call = (name) => step("http_request", {
    method: "POST", url: `${server.url}/v1/events/trigger`, headers: [{ key: "Authorization", value: `ApiKey ${server.dev.secretKey}` }],
    body: JSON.stringify({ name, to: "ana", payload: {} }),
  });
  await create([call("pong")], {}, "ping");
  await create([call("ping")], {}, "pong");
  const count = async () => (await server.call("GET", "/v1/notifications?limit=50")).body.data.filter((r) => ["ping", "pong"].includes(r.template?.triggers?.[0]?.identifier));
  await server.call("POST", "/v1/events/trigger", { name: "ping", to: "ana", payload: {} });
  const all = await until(async () => {
    const list = await count();
    return list.length && list.every((r) => r.jobs.every((j) => ["completed", "failed"].includes(j.status))) && list.some((r) => r.jobs.some((j) => j.status === "failed")) ? list : null;
  }, "the end of the cycle");
  assert.equal(all.length, 11);
  const failed = all.flatMap((r) => r.jobs).filter((j) => j.status === "failed");
  assert.equal(failed.length, 1);
  assert.match(failed[0].executionDetails.map((d) => d.raw).join("\n"), /have come 10 times in a row .* taken for a cycle/);
});

test("one that waits in between goes round for as long as it likes", async () => {
  const call = step("http_request", {
    method: "POST", url: `${server.url}/v1/events/trigger`, headers: [{ key: "Authorization", value: `ApiKey ${server.dev.secretKey}` }],
    body: '{"name":"daily","to":"{{subscriber.subscriberId}}","payload":{}}',
  }, "Again");
  await create([step("delay", { type: "regular", amount: 1, unit: "days" }), call], {}, "daily");
  await server.call("POST", "/v1/events/trigger", { name: "daily", to: "joe", payload: {} });
  await server.call("POST", "/v1/testing/clock", { advance: "P15DT1H" });
  const { body } = await server.call("GET", "/v1/notifications?limit=50&subscriberIds=joe");
  const mine = body.data.filter((r) => r.subscriber?.subscriberId === "joe");
  assert.equal(mine.length, 16);
  assert.ok(mine.every((r) => r.jobs.every((j) => j.status !== "failed")));
});
