// What a workflow does in cases that nobody plans for: borders of windows, keys of every kind, changes while it waits.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
  await now("2040-01-02T10:00:00.000Z");
});
after(() => server?.stop());

const call = (...args) => server.call(...args);
const now = (iso) => call("POST", "/v1/testing/clock", { now: iso });
const move = (advance) => call("POST", "/v1/testing/clock", { advance });
const bell = (body, more = {}) => ({ name: "Bell", type: "in_app", controlValues: { body, ...more } });
const step = (type, controlValues, name = type[0].toUpperCase() + type.slice(1)) => ({ name, type, controlValues });
const workflow = async (workflowId, ...steps) => {
  const { status, body } = await call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps });
  assert.equal(status, 201, JSON.stringify(body));
  return body.data;
};
let triggers = 0;
const trigger = async (name, to, payload = {}, more = {}) => {
  const transactionId = `case-${++triggers}`;
  const { status, body } = await call("POST", "/v1/events/trigger", { name, to, payload, transactionId, ...more });
  assert.deepEqual([status, body.data?.status], [201, "processed"], JSON.stringify(body));
  return transactionId;
};
const run = async (transactionId) => (await call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0];
const states = async (transactionId) => (await run(transactionId)).jobs.slice(1).map((j) => j.status);
const shown = async (transactionId) => (await call("GET", `/v1/messages?transactionId=${transactionId}`)).body.data.map((m) => m.content).sort();
const details = async (transactionId, i = 1) => (await run(transactionId)).jobs[i].executionDetails.map((d) => d.detail);

test("a digest key of any kind divides: numbers are their text, objects their form, and nothing is a group of its own", async () => {
  await workflow("keys", step("digest", { amount: 5, unit: "minutes", digestKey: "payload.post.id" }), bell("{{steps.digest.eventCount}}:{% for e in steps.digest.events %}{{e.payload.c}}{% endfor %}"));
  const all = [];
  for (const [id, c] of [[1, "a"], ["1", "b"], [2, "c"], [1, "d"], [undefined, "e"], [null, "f"], [{ x: 1 }, "g"], [{ x: 1 }, "h"], [true, "i"], ["true", "j"]]) {
    all.push(await trigger("keys", "ada", { post: { id }, c }));
  }
  await move("PT5M");
  assert.deepEqual(await Promise.all(all.map(shown)), [["3:abd"], [], ["1:c"], [], ["2:ef"], [], ["2:gh"], [], ["2:ij"], []]);
});

test("many at once are one digest; a burst with look-back is one at once and one later", async () => {
  const burst = async (name, n) => Promise.all(Array.from({ length: n }, () => trigger(name, "bob", { k: "z" })));
  await workflow("burst", step("digest", { amount: 5, unit: "minutes" }), bell("{{steps.digest.eventCount}}"));
  await workflow("burst-back", step("digest", { amount: 5, unit: "minutes", digestKey: "payload.k", lookBackWindow: { amount: 1, unit: "hours" } }), bell("{{steps.digest.eventCount}}"));
  const one = await burst("burst", 20), two = await burst("burst-back", 6);
  await move("PT5M");
  assert.deepEqual((await Promise.all(one.map(shown))).flat(), ["20"]);
  assert.deepEqual((await Promise.all(two.map(shown))).flat().sort(), ["1", "5"]);
});

test("a look-back window reaches to its very border, and starts at what was sent at once or collected last", async () => {
  await workflow("back", step("digest", { amount: 5, unit: "minutes", lookBackWindow: { amount: 10, unit: "minutes" } }), bell("{{steps.digest.eventCount}}"));
  const decided = async () => (await states(await trigger("back", "ada")))[0];
  assert.equal(await decided(), "skipped");
  await move("PT10M");
  assert.equal(await decided(), "delayed", "ten minutes ago is within ten minutes");
  await move("PT10M1S");
  assert.equal(await decided(), "skipped");
  await move("PT9M59S");
  assert.equal(await decided(), "delayed");
});

test("waits: parts of units count, what is no time fails and says why, and no answer holds a unit that clients refuse", async () => {
  const wait = async (type, controlValues, payload = {}) => {
    const name = `wait-${triggers}`;
    await workflow(name, step(type, controlValues), bell("x"));
    const job = (await run(await trigger(name, "ada", payload))).jobs[1];
    const last = job.executionDetails.at(-1);
    return [job.status, JSON.parse(last.raw ?? "{}").delay ?? last.detail];
  };
  const invalid = ["failed", "Invalid delay configuration"];
  for (const [type, values, payload, expected] of [
    ["delay", { type: "regular", amount: 1.5, unit: "hours" }, {}, ["delayed", 5400000]],
    ["delay", { type: "regular", amount: 1.5, unit: "months" }, {}, ["delayed", 46 * 86400000]],
    ["delay", { type: "regular", amount: 1, unit: "fortnights" }, {}, invalid],
    ["delay", { type: "dynamic", dynamicKey: "payload.at" }, { at: "2039-01-01T00:00:00Z" }, invalid],
    ["delay", { type: "dynamic", dynamicKey: "payload.at" }, { at: "soon" }, invalid],
    ["delay", { type: "dynamic", dynamicKey: "payload.at" }, {}, invalid],
    ["delay", { type: "dynamic", dynamicKey: "payload.at" }, { at: 5 }, invalid],
    ["delay", { type: "dynamic", dynamicKey: "payload.at" }, { at: { amount: -2, unit: "hours" } }, invalid],
    ["delay", { type: "dynamic", dynamicKey: "payload.at" }, { at: { amount: 2, unit: "eons" } }, invalid],
    ["delay", { type: "dynamic", dynamicKey: "payload.at" }, { at: { amount: 2, unit: "hours" } }, ["delayed", 7200000]],
    ["delay", { type: "dynamic", dynamicKey: "a.b" }, { a: { b: { amount: 0.5, unit: "minutes" } } }, ["delayed", 30000]],
    ["digest", { amount: 1, unit: "fortnights" }, {}, invalid],
    ["digest", { amount: -1, unit: "hours" }, {}, invalid],
    ["digest", { cron: "61 9 * * 1" }, {}, invalid],
    ["digest", { amount: 2, unit: "weeks" }, {}, ["delayed", 14 * 86400000]],
  ]) {
    assert.deepEqual(await wait(type, values, payload), expected, `${type} ${JSON.stringify(values)} ${JSON.stringify(payload)}`);
  }
  const { result } = await novu.notifications.list({ limit: 50 });
  assert.ok(result.data.length > 10, "the SDK reads them all");
});

test("a step that did not come to a result has one for later steps", async () => {
  const no = { "==": [{ var: "payload.collect" }, true] };
  await workflow("results", step("digest", { amount: 5, unit: "minutes", skip: no }), step("throttle", { type: "fixed", amount: 1, unit: "hours", skip: no }), step("delay", { type: "regular", amount: 1, unit: "minutes", skip: no }),
    bell("{{steps.digest.eventCount}} {{steps.digest.events[0].payload.i}} {{steps.throttle.throttled}} {{steps.delay.duration}}"));
  const id = await trigger("results", "ada", { collect: false, i: 7 });
  assert.deepEqual([await states(id), await shown(id)], [["skipped", "skipped", "skipped", "completed"], ["1 7 false 0"]]);
});

test("two digests in a workflow are two; what the second collects are runs of the first", async () => {
  await workflow("two", step("digest", { amount: 5, unit: "minutes" }, "First"), bell("{{steps.first.eventCount}}"), step("digest", { amount: 10, unit: "minutes" }, "Second"), { ...bell("all {{steps.second.eventCount}}"), name: "Last" });
  const a = await trigger("two", "ada"), b = await trigger("two", "ada");
  await move("PT5M");
  const c = await trigger("two", "ada");
  await move("PT5M");
  await move("PT10M");
  assert.deepEqual([await shown(a), await shown(b), await shown(c)], [["2", "all 2"], [], ["1"]]);
});

test("cancel: a follower is left out, the primary hands over, the last one leaves nothing", async () => {
  await workflow("cancels", step("digest", { amount: 5, unit: "minutes" }), bell("{% for e in steps.digest.events %}{{e.payload.i}}{% endfor %} of {{payload.i}}"));
  const cancel = async (id) => (await call("DELETE", `/v1/events/trigger/${id}`)).body.data;
  const ids = [];
  for (const i of [1, 2, 3, 4]) ids.push(await trigger("cancels", "ada", { i }));
  assert.equal(await cancel(ids[2]), true);
  await move("PT2M");
  assert.equal(await cancel(ids[0]), true);
  assert.equal(await cancel(ids[0]), false);
  await move("PT3M");
  assert.deepEqual(await Promise.all(ids.map(shown)), [[], ["24 of 2"], [], []]);
  assert.deepEqual((await states(ids[3])), ["merged", "merged"]);
  const only = await trigger("cancels", "bob", { i: 1 });
  await cancel(only);
  const next = await trigger("cancels", "bob", { i: 2 });
  await move("PT5M");
  assert.deepEqual([await shown(only), await shown(next)], [[], ["2 of 2"]]);
});

test("throttle: by key, without one, by a moment of the payload, and one that says nonsense lets all through", async () => {
  const sent = async (name, payloads, to = "ada") => {
    const out = [];
    for (const payload of payloads) out.push((await states(await trigger(name, to, payload)))[1] === "completed");
    return out;
  };
  await workflow("th-key", step("throttle", { type: "fixed", amount: 1, unit: "hours", threshold: 2, throttleKey: "payload.k.id" }), bell("x"));
  const k = (id) => ({ k: { id } });
  assert.deepEqual(await sent("th-key", [k(1), k("1"), k(1), k(2), {}, {}, { k: null }]), [true, true, false, true, true, true, false], "those without a value are one group");
  await move("PT1H");
  assert.deepEqual(await sent("th-key", [k(1)]), [true]);
  await workflow("th-at", step("throttle", { type: "dynamic", dynamicKey: "payload.until" }), bell("x"));
  assert.deepEqual(await sent("th-at", [{ until: "2041-01-01" }, { until: "2041-01-01" }, { until: "x" }, {}]), [true, false, true, true]);
  assert.deepEqual(await details(await trigger("th-at", "zoe", { until: "2039-01-01" })), ["Step created", "Step queued", "Throttle window date is in the past"]);
  await workflow("th-odd", step("throttle", { type: "fixed", amount: 1, unit: "weeks" }), bell("x"));
  assert.deepEqual(await sent("th-odd", [{}, {}]), [true, true]);
});

test("conditions with relative dates", async () => {
  const at = Date.parse((await run(await trigger("burst", "clock"))).createdAt);
  const ago = (ms) => new Date(at - ms).toISOString(), hour = 3600000, day = 24 * hour;
  const rules = [
    ["moreThanXAgo", 2, "days", 2 * day + 1000, true], ["moreThanXAgo", 2, "days", 2 * day - 60000, false],
    ["lessThanXAgo", 1, "hours", hour - 60000, true], ["lessThanXAgo", 1, "hours", -99 * day, true], ["lessThanXAgo", 1, "hours", hour + 60000, false],
    ["withinLast", 1, "hours", hour / 2, true], ["withinLast", 1, "hours", -hour, false], ["notWithinLast", 1, "weeks", 8 * day, true],
    ["exactlyXAgo", 1, "days", 1.5 * day, true], ["exactlyXAgo", 1, "hours", 2.5 * hour, false], ["withinLast", 0, "hours", 0, false], ["withinLast", 1, "eons", 0, false],
  ];
  await workflow("dates", ...rules.map(([op, amount, unit], i) => ({ ...bell("x", { skip: { [op]: [{ var: `payload.d${i}` }, { amount, unit }] } }), name: `s${i}` })));
  const id = await trigger("dates", "ada", Object.fromEntries(rules.map(([, , , ms], i) => [`d${i}`, ago(ms)])));
  assert.deepEqual((await states(id)).map((s) => s === "completed"), rules.map((r) => r.at(-1)), JSON.stringify(rules));
});

test("what changes while a run waits: content is read live, its steps are its own, preferences count when it goes on", async () => {
  const made = await workflow("changes", step("delay", { type: "regular", amount: 1, unit: "hours" }), bell("old"), step("sms", { body: "text" }));
  const [wait, shows] = made.steps.map((s) => s._id);
  const put = async (active, ...steps) => {
    const { status, body } = await call("PUT", "/v2/workflows/changes", { name: "changes", workflowId: "changes", active, preferences: { user: null }, steps });
    assert.equal(status, 200, JSON.stringify(body));
  };
  const pause = { ...step("delay", { type: "regular", amount: 1, unit: "hours" }), _id: wait };
  const to = { subscriberId: "cleo", phone: "+491" };
  const first = await trigger("changes", to);
  await put(true, pause, { ...bell("new"), _id: shows });
  await move("PT1H");
  assert.deepEqual(await shown(first), ["new", "text"], "the text step is gone from the workflow, not from this run");
  const second = await trigger("changes", to);
  await put(false, pause, { ...bell("newer"), _id: shows });
  await move("PT1H");
  assert.deepEqual(await shown(second), ["newer"], "switched off, it takes no new triggers");
  await put(true, pause, { ...bell("newer"), _id: shows });
  const third = await trigger("changes", to);
  await call("PATCH", "/v2/subscribers/cleo/preferences", { workflowId: made._id, channels: { in_app: false } });
  await move("PT1H");
  assert.deepEqual(await states(third), ["completed", "canceled"]);
  const fourth = await trigger("changes", "dora");
  await call("DELETE", "/v2/workflows/changes");
  await move("PT1H");
  assert.deepEqual(await states(fourth), ["failed", "canceled"]);
});

test("over night and over the changes of the clocks: schedules and cron go by the wall", async () => {
  const person = async (subscriberId, hours, days) => {
    await call("POST", "/v2/subscribers", { subscriberId, timezone: "Europe/Berlin", phone: "+491" });
    const weeklySchedule = Object.fromEntries(days.map((d) => [d, { isEnabled: true, hours: [hours] }]));
    assert.equal((await call("PATCH", `/v2/subscribers/${subscriberId}/preferences`, { schedule: { isEnabled: true, weeklySchedule } })).status, 200);
  };
  await person("night", { start: "10:00 PM", end: "06:00 AM" }, ["monday"]);
  await workflow("texts", step("sms", { body: "t" }));
  for (const [at, state] of [["2040-02-06T20:59:59Z", "canceled"], ["2040-02-06T21:00:00Z", "completed"], ["2040-02-07T05:00:59Z", "completed"], ["2040-02-07T05:01:00Z", "canceled"], ["2040-02-07T21:30:00Z", "canceled"]]) {
    await now(at);
    assert.deepEqual(await states(await trigger("texts", "night")), [state], at);
  }
  await person("small", { start: "02:15 AM", end: "02:45 AM" }, ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]);
  await workflow("later", step("delay", { type: "regular", amount: 1, unit: "hours", extendToSchedule: true }), step("sms", { body: "t" }));
  for (const [at, opens] of [["2040-03-24T20:00:00Z", "2040-03-26T00:15:00.000Z"], ["2040-10-27T20:00:00Z", "2040-10-28T00:15:00.000Z"]]) {
    await now(at);
    const id = await trigger("later", "small");
    await move("PT1H");
    const extended = (await run(id)).jobs[1].executionDetails.find((d) => d.detail.startsWith("Step was extended"));
    assert.equal(JSON.parse(extended.raw).nextAvailableTime, opens, "on the day without 02:15 there is no opening; of two the first");
    await now(opens);
    assert.deepEqual(await states(id), ["completed", "completed"]);
  }
});

test("topics, the actor and who is excluded; a transaction id counts once", async () => {
  for (const id of ["t1", "t2", "t3", "t4"]) await call("POST", "/v2/subscribers", { subscriberId: id, firstName: id });
  await call("POST", "/v2/topics", { key: "team", name: "Team" });
  await call("POST", "/v2/topics/team/subscriptions", { subscriberIds: ["t1", "t2", "t3", "t4"] });
  await workflow("team", bell("{{actor.firstName}} to {{subscriber.firstName}}"));
  const to = [{ type: "Topic", topicKey: "team", exclude: ["t3"] }, "t4", { subscriberId: "t4", firstName: "Last" }, { type: "Topic", topicKey: "nobody" }];
  const id = await trigger("team", to, {}, { actor: "t1" });
  await move("PT0S");
  assert.deepEqual(await shown(id), ["t1 to Last", "t1 to t2"]);
  await call("POST", "/v1/events/trigger", { name: "team", to: "t3", transactionId: id, payload: {} });
  await call("POST", "/v1/events/trigger/bulk", { events: [{ name: "team", to: "t2", transactionId: "twice" }, { name: "team", to: "t3", transactionId: "twice" }] });
  await move("PT0S");
  assert.equal((await shown(id)).length, 2);
  assert.deepEqual(await shown("twice"), [" to t2"], "the first counts");
  const mixed = await call("POST", "/v1/events/trigger/bulk", { events: [{ name: "nothing", to: "t1", transactionId: "mixed" }, { name: "team", to: "t2", transactionId: "mixed" },
    { name: "nothing", to: "t3", transactionId: "mixed" }, { name: "team", to: "t4", transactionId: "mixed" }, { name: "team", to: "t4" }, { name: "team", to: "t4" }] });
  assert.deepEqual(mixed.body.data.map((r) => r.status), ["error", "processed", "error", "processed", "processed", "processed"]);
  await move("PT0S");
  assert.deepEqual(await shown("mixed"), [" to t2"]);
});

test("a link that a payload brings is an address, or the step says what it is not", async () => {
  await workflow("links", bell("b", { redirect: { url: "{{payload.u}}", target: "{{payload.t}}" }, primaryAction: { label: "Go", redirect: { url: "{{payload.a}}", target: "_blank" } } }));
  const links = async (payload) => {
    const id = await trigger("links", "ada", payload);
    const job = (await run(id)).jobs[1];
    if (job.status === "failed") return JSON.parse(job.executionDetails.at(-1).raw).error;
    const { cta } = (await call("GET", `/v1/messages?transactionId=${id}`)).body.data[0];
    return [cta.data?.url, cta.data?.target, cta.action.buttons[0].url];
  };
  const wrong = (name) => `${name} must be an http(s) URL or a path that starts with /`;
  assert.deepEqual(await links({ u: "https://x.example/a?b=1", t: "_top", a: "/here" }), ["https://x.example/a?b=1", "_top", "/here"]);
  assert.deepEqual(await links({ u: "/p", t: "elsewhere", a: "http://x.example" }), ["/p", "_self", "http://x.example"]);
  assert.deepEqual(await links({}), [undefined, undefined, undefined]);
  for (const u of ["javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "data:text/html,x", "mailto:a@example.com", "www.example.com", "https://", "https://?x", "/a b"]) {
    assert.equal(await links({ u, a: "/x" }), wrong("redirect.url"), u);
  }
  assert.equal(await links({ u: "/x", a: "javascript:alert(1)" }), wrong("primaryAction.redirect.url"));
});
