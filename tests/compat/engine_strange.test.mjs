// What a stranger tried of the engine through the API, where two of its parts meet: cancellation and files, outages and the
// chain, retention and waits.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Carillon, until } from "./carillon.mjs";

let server, provider;
const calls = [];
let answer = { status: 202 };
before(async () => {
  provider = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += chunk));
    request.on("end", () => {
      calls.push(JSON.parse(text));
      const { status, body } = typeof answer === "function" ? answer(request.url) : answer;
      response.writeHead(status, { "Content-Type": "application/json" }).end(body);
    });
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  server = await Carillon.start({
    args: ["--clock", "virtual"],
    env: { CARILLON_DELIVERY_SINK: `http://127.0.0.1:${provider.address().port}` },
  });
  await now("2040-01-02T10:00:00.000Z");
});
after(async () => {
  await server?.stop();
  provider?.close();
});

const call = (...args) => server.call(...args);
const now = (iso) => call("POST", "/v1/testing/clock", { now: iso });
const move = (advance) => call("POST", "/v1/testing/clock", { advance });
const bell = (body, name = "Bell", more = {}) => ({ name, type: "in_app", controlValues: { body, ...more } });
const mail = (subject = "Hi") => ({ name: "Mail", type: "email", controlValues: { subject, body: "<p>x</p>", editorType: "html" } });
const step = (type, controlValues, name = type[0].toUpperCase() + type.slice(1)) => ({ name, type, controlValues });
const wait = (amount, unit, name = "Wait") => step("delay", { type: "regular", amount, unit }, name);
const workflow = async (workflowId, ...steps) => {
  const { status, body } = await call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps });
  assert.equal(status, 201, JSON.stringify(body));
};
let triggers = 0;
const trigger = async (name, to, payload = {}, more = {}) => {
  const transactionId = `strange-${++triggers}`;
  const { status, body } = await call("POST", "/v1/events/trigger", { name, to, payload, transactionId, ...more });
  assert.deepEqual([status, body.data?.status], [201, "processed"], JSON.stringify(body));
  await move("PT0S");
  return transactionId;
};
const run = async (transactionId) => (await call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0];
const states = async (transactionId) => (await run(transactionId)).jobs.slice(1).map((j) => j.status).join(" ");
const shown = async (transactionId) => (await call("GET", `/v1/messages?transactionId=${transactionId}`)).body.data.map((m) => m.content).sort();
const ada = { subscriberId: "ada", email: "ada@example.com" };
const file = (name, text) => ({ name, mime: "text/plain", file: Buffer.from(text).toString("base64") });
const attached = (mailed) => (mailed.attachments ?? []).map((a) => [a.filename, Buffer.from(a.content, "base64").toString()]);
const sendgrid = async (identifier, delivery = {}) => {
  const { status, body } = await call("POST", "/v1/integrations", {
    providerId: "sendgrid", channel: "email", name: identifier, identifier, active: true, check: false,
    credentials: { apiKey: "SG.x", from: "shop@example.com", senderName: "Shop" }, configurations: { delivery },
  });
  assert.equal(status, 201, JSON.stringify(body));
  return body.data;
};
/** Housekeeping looks once a minute of the clock, in the background. */
const days = async (n) => {
  for (let i = 0; i < n; i++) await move("P1D");
  await move("PT2M");
};

test("files of an event that took a digest over, and of a dead letter that is driven again, are still there", async () => {
  const integration = await sendgrid("files", { attempts: 1, failover: false });
  await workflow("digested-files", step("digest", { amount: 5, unit: "minutes" }), wait(1, "hours"), mail());
  const first = await trigger("digested-files", ada, { attachments: [file("a.txt", "one")] });
  const second = await trigger("digested-files", ada, { attachments: [file("b.txt", "two")] });
  assert.equal((await call("DELETE", `/v1/events/trigger/${first}`)).body.data, true);
  await move("PT5M");
  await move("PT1H");
  assert.equal(await states(second), "completed completed completed");
  assert.deepEqual(calls.splice(0).map(attached), [[["b.txt", "two"]]]);

  await workflow("mail", mail());
  answer = { status: 400 };
  const dead = await trigger("mail", ada, { attachments: [file("c.txt", "three")] });
  await days(1);
  assert.equal(await states(dead), "failed");
  answer = { status: 202 };
  calls.length = 0;
  assert.equal((await call("POST", "/v1/deliveries/redrive", { all: true })).body.data.redriven, 1);
  await move("PT1M");
  assert.equal(await states(dead), "completed");
  assert.deepEqual(calls.splice(0).map(attached), [[["c.txt", "three"]]]);
  await call("DELETE", `/v1/integrations/${integration._id}`);
});

test("while a circuit is open the steps behind go on, and that it is open is told once", async () => {
  const integration = await sendgrid("down", { breaker: { failures: 3, openSeconds: 60 } });
  await workflow("outage", mail(), bell("behind"));
  answer = { status: 500 };
  for (let i = 0; i < 3; i++) await trigger("outage", ada);
  const called = calls.length;
  const late = await trigger("outage", ada);
  assert.equal(calls.length, called, "nothing is sent while it is open");
  assert.equal(await states(late), "delayed completed");
  const message = (await call("GET", `/v1/messages?transactionId=${late}&channel=email`)).body.data[0];
  assert.deepEqual([message.status, message.errorId, message.errorText], ["warning", "delivery_retrying", "The circuit of the integration is open"]);
  for (let i = 0; i < 20; i++) await move("PT30S");
  const told = (await run(late)).jobs[1].executionDetails.slice(4).map((d) => /circuit/.test(d.raw));
  assert.ok(told[0] && told.every((open, i) => !open || !told[i - 1]), `between probes of its own once each: ${told}`);
  answer = { status: 202 };
  await move("PT2H");
  assert.ok(["completed completed", "failed completed"].includes(await states(late)));
  await call("DELETE", `/v1/integrations/${integration._id}`);
});

test("of several providers of one push step each is told of by its own name, and its dead devices are taken from it", async () => {
  const settings = { delivery: { attempts: 1, breaker: { failures: 0, errorPercent: 0 } } };
  for (const [providerId, credentials] of [["expo", { apiKey: "x" }], ["one-signal", { applicationId: "a", apiKey: "b" }]]) {
    const { status, text } = await call("POST", "/v1/integrations", { providerId, channel: "push", name: providerId, identifier: providerId, active: true, check: false, credentials, configurations: settings });
    assert.equal(status, 201, text);
  }
  await workflow("ring", step("push", { subject: "S", body: "B" }));
  await call("POST", "/v2/subscribers", { subscriberId: "dev" });
  for (const providerId of ["expo", "one-signal"]) {
    assert.equal((await call("PUT", "/v1/subscribers/dev/credentials", { providerId, integrationIdentifier: providerId, credentials: { deviceTokens: ["ExponentPushToken[x]"] } })).status, 200);
  }
  const gone = { status: 200, body: JSON.stringify({ data: [{ status: "error", message: "gone", details: { error: "DeviceNotRegistered" } }] }) };
  answer = (url) => (/exp/.test(url) ? gone : { status: 200, body: '{"id":"1"}' });
  const rung = await trigger("ring", "dev");
  assert.equal(await states(rung), "completed");
  const named = (await run(rung)).jobs[1].executionDetails.filter((d) => /Unexpected provider error|Message sent/.test(d.detail)).map((d) => [d.detail, JSON.parse(d.raw).providerId]);
  assert.deepEqual(named.sort(), [["Message sent", "one-signal"], ["Unexpected provider error", "expo"]]);
  const { body } = await call("GET", "/v1/subscribers/dev");
  assert.deepEqual(body.data.channels.map((c) => [c.providerId, c.credentials.deviceTokens]).sort(), [["expo", []], ["one-signal", ["ExponentPushToken[x]"]]]);
  const dead = (await call("GET", "/v1/deliveries?status=dead&channel=push")).body.data;
  assert.deepEqual(dead.map((d) => d.providerId), ["expo"]);
  answer = { status: 202 };
});

test("what waited longer than runs are kept stays for as long again, with its message", async () => {
  await workflow("patient", wait(40, "days"), bell("at last"));
  await workflow("short", bell("soon"));
  const patient = await trigger("patient", "eve"), short = await trigger("short", "eve");
  await days(38);
  await until(async () => { await move("PT1M"); return !(await run(short)); }, "the short one to be purged");
  assert.equal(await states(patient), "delayed pending");
  // In-app messages outlive their run: for every reader.
  await trigger("short", "eve");
  const pages = async (path) => (await Promise.all([0, 1, 2].map((page) => call("GET", `${path}page=${page}&limit=1`)))).map((r) => r.body.data.map((m) => m.content));
  assert.deepEqual(await pages("/v1/subscribers/eve/notifications/feed?"), [["soon"], ["soon"], []]);
  assert.deepEqual(await pages("/v1/messages?subscriberId=eve&"), [["soon"], ["soon"], []]);
  assert.equal((await call("GET", "/v1/subscribers/eve/notifications/feed?limit=1")).body.totalCount, 2);
  assert.equal((await call("GET", "/v1/subscribers/eve/notifications/unseen")).body.data.count, 2);
  await days(4);
  for (let i = 0; i < 5; i++) await move("PT1M");
  assert.equal(await states(patient), "completed completed");
  assert.deepEqual(await shown(patient), ["at last"]);
  await days(32);
  await until(async () => { await move("PT1M"); return !(await run(patient)); }, "the patient one to be purged");
});

test("a context that was deleted while a run waits is not shown any more; one that changed is shown as it is", async () => {
  await workflow("teams", bell("{{context.team.data.name}}", "Now"), wait(1, "hours"), bell("{{context.team.id}}:{{context.team.data.name}}", "Later"));
  const context = (id) => ({ context: { team: { id, data: { name: "old" } } } });
  const gone = await trigger("teams", "eve", {}, context("red")), changed = await trigger("teams", "eve", {}, context("blue"));
  assert.equal((await call("DELETE", "/v2/contexts/team/red")).status, 204);
  assert.equal((await call("PATCH", "/v2/contexts/team/blue", { data: { name: "new" } })).status, 200);
  await move("PT1H");
  assert.deepEqual(await shown(gone), [":", "old"]);
  assert.deepEqual(await shown(changed), ["blue:new", "old"]);
  const { body } = await call("POST", "/v1/events/explain", { name: "teams", to: "eve", ...context("green") });
  assert.equal(body.data.timelines[0].steps[2].messages[0].content.content, "green:old", "one that the trigger would make");
});

test("a message has the tags that its workflow had at the trigger, and is found by them", async () => {
  const steps = [wait(1, "hours"), bell("tagged")];
  assert.equal((await call("POST", "/v2/workflows", { name: "tags", workflowId: "tags", active: true, tags: ["one"], steps })).status, 201);
  const before = await trigger("tags", "tag-reader");
  assert.equal((await call("PATCH", "/v2/workflows/tags", { tags: ["two"] })).status, 200);
  const after = await trigger("tags", "tag-reader");
  await move("PT1H");
  const tags = async (transactionId) => (await call("GET", `/v1/messages?transactionId=${transactionId}`)).body.data.map((m) => m.tags);
  assert.deepEqual([await tags(before), (await run(before)).tags, await tags(after)], [[["one"]], ["one"], [["two"]]]);
  const session = await call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriberId: "tag-reader" }, { key: null });
  const headers = { Authorization: `Bearer ${session.body.data.token}` };
  const found = await call("GET", "/v1/inbox/notifications?tags[]=one", undefined, { key: null, headers });
  assert.deepEqual(found.body.data.map((n) => n.transactionId), [before]);
});

test("an address that is empty or null in an override's list is left out", async () => {
  const integration = await sendgrid("addresses", { attempts: 1, failover: false });
  const sent = async (email) => {
    calls.length = 0;
    const transactionId = await trigger("mail", ada, {}, { overrides: { email } });
    return calls[0]?.personalizations[0] ?? (await states(transactionId));
  };
  const to = [{ email: ada.email }], other = { email: "z@example.com" };
  assert.deepEqual(await sent({ to: ["", null, "z@example.com"], cc: [null], bcc: [""] }), { to: [...to, other] });
  assert.deepEqual(await sent({ to: [5], cc: ["z@example.com", ""] }), { to, cc: [other] });
  assert.deepEqual(await sent({ to: ["", "z@example.com"], replaceToRecipient: true }), { to: [other] });
  assert.equal(await sent({ to: [""], cc: [null], replaceToRecipient: true }), "canceled");
  await call("DELETE", `/v1/integrations/${integration._id}`);
});

test("what a payload brings into the JSON text of a request's body stays where it is put", async () => {
  const got = [];
  const service = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += chunk));
    request.on("end", () => (got.push(text), response.writeHead(200, { "Content-Type": "application/json" }).end("{}")));
  }).listen(0, "127.0.0.1");
  await once(service, "listening");
  const own = await Carillon.start({ args: ["--clock", "virtual"] });
  const steps = [{ name: "Call", type: "http_request", controlValues: { method: "POST", url: `http://127.0.0.1:${service.address().port}/`, body: '{"who":"{{payload.who}}","n":{{payload.n}},"tags":{{payload.tags}}}' } }];
  assert.equal((await own.call("POST", "/v2/workflows", { name: "call", workflowId: "call", active: true, steps })).status, 201);
  const ended = async (transactionId, payload, name = "call") => {
    await own.call("POST", "/v1/events/trigger", { name, to: "ada", payload, transactionId });
    return until(async () => {
      const job = (await own.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0]?.jobs[1];
      return ["completed", "failed"].includes(job?.status) && job;
    }, "the step to end");
  };
  const who = 'x","admin":true,"y":"\\\n';
  assert.equal((await ended("c1", { who, n: 5, tags: ["a", { b: 1 }] })).status, "completed");
  assert.deepEqual(JSON.parse(got.pop()), { who, n: 5, tags: ["a", { b: 1 }] });
  const failed = await ended("c2", { who, n: '5,"admin":true', tags: [] });
  assert.equal(failed.status, "failed");
  assert.match(failed.executionDetails.at(-1).raw, /template compilation failed/);
  assert.equal(got.length, 0);
  steps[0].controlValues.body = '{"n":{% if payload.n %}{{payload.n}}{% else %}0{% endif %},"who":"{% if payload.who %}{{payload.who}}{% endif %}"}';
  assert.equal((await own.call("POST", "/v2/workflows", { name: "tags", workflowId: "tags", active: true, steps })).status, 201);
  assert.equal((await ended("c3", { who, n: 5 }, "tags")).status, "completed");
  assert.deepEqual(JSON.parse(got.pop()), { who, n: 5 });
  assert.equal((await ended("c4", { who, n: '5,"admin":true' }, "tags")).status, "failed");
  assert.equal(got.length, 0);
  await own.stop();
  service.close();
});

test("a trigger that asks for no delay goes on at once", async () => {
  await workflow("hurry", wait(1, "hours"), bell("now"));
  const hurried = await trigger("hurry", "hurried", {}, { overrides: { delay: { amount: 0, unit: "hours" } } });
  assert.equal(await states(hurried), "completed completed");
  assert.deepEqual(await shown(hurried), ["now"]);
});
