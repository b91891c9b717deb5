// Triggers that go to many, through @novu/api 3.19.1: broadcast, long `to`, progress, pause and resume; statuses.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  await workflow("hello", [{ name: "Bell", type: "in_app", controlValues: { body: "Hi {{subscriber.subscriberId}} {{payload.n}}" } }]);
});
after(() => server?.stop());

async function workflow(workflowId, steps, more = {}) {
  const { status, body } = await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps, ...more });
  assert.equal(status, 201, JSON.stringify(body));
  return body.data;
}

const trigger = (body) => server.call("POST", "/v1/events/trigger", { name: "hello", payload: {}, ...body });
const progress = async (tx) => (await server.call("GET", `/v1/events/trigger/${tx}`)).body.data;
const ended = (tx) => until(async () => {
  const now = await progress(tx);
  return now.state === "completed" && now;
}, `the end of ${tx}`);

async function messages(transactionId) {
  const found = [];
  for (let page = 0; ; page++) {
    const { body } = await server.call("GET", `/v1/messages?transactionId=${transactionId}&limit=1000&page=${page}`);
    found.push(...body.data);
    if (!body.hasMore) return found;
  }
}

test("250 recipients each get one message; the progress says so", async () => {
  const to = Array.from({ length: 250 }, (_, i) => `p${i}`);
  const { status, body } = await trigger({ to, transactionId: "long" });
  assert.equal(status, 201);
  assert.equal(body.data.status, "processed");
  const now = await ended("long");
  assert.deepEqual([now.total, now.expanded, now.runs, now.filtered], [250, 250, 250, 0]);
  const ids = (await messages("long")).map((m) => m.subscriber?.subscriberId ?? m._subscriberId);
  assert.equal(new Set(ids).size, 250);
  assert.equal(ids.length, 250);
});

test("a broadcast reaches everybody, through the SDK", async () => {
  const { result } = await novu.triggerBroadcast({ name: "hello", payload: { n: 1 }, transactionId: "all" });
  assert.equal(result.status, "processed");
  assert.equal(result.transactionId, "all");
  assert.ok(result.activityFeedLink);
  const now = await ended("all");
  assert.equal(now.runs, 250);
  assert.equal(now.total, 250);
  assert.equal((await messages("all")).length, 250);
});

test("a broadcast needs a name and a payload", async () => {
  const { status, body } = await server.call("POST", "/v1/events/trigger/broadcast", { name: "hello" });
  assert.equal(status, 422);
  assert.ok(body.errors.general.messages.some((m) => m.startsWith("payload ")));
});

test("a small trigger has a progress, too; an unknown one is 404", async () => {
  await trigger({ to: "p1", transactionId: "small" });
  const now = await progress("small");
  assert.deepEqual([now.state, now.total, now.expanded, now.runs], ["completed", 1, 1, 1]);
  assert.equal((await server.call("GET", "/v1/events/trigger/nobody")).status, 404);
  assert.equal((await server.call("POST", "/v1/events/trigger/nobody/pause")).status, 404);
});

test("what has ended cannot be paused", async () => {
  const { status, body } = await server.call("POST", "/v1/events/trigger/all/pause");
  assert.equal(status, 409);
  assert.equal(body.message, "The trigger is completed already");
});

test("pause holds a fan-out, also over a restart; resume goes on; nobody twice", async () => {
  const to = Array.from({ length: 5000 }, (_, i) => `q${i}`);
  await trigger({ to, transactionId: "held" });
  const paused = await server.call("POST", "/v1/events/trigger/held/pause");
  assert.equal(paused.status, 200, JSON.stringify(paused.body));
  assert.equal(paused.body.data.state, "paused");
  const before = await progress("held");
  await server.stop({ keep: true });
  await server.start();
  const after = await progress("held");
  assert.deepEqual(after, before);
  assert.ok(after.runs < 5000);
  const again = await server.call("POST", "/v1/events/trigger/held/pause");
  assert.equal(again.status, 200);
  const resumed = await server.call("POST", "/v1/events/trigger/held/resume");
  assert.equal(resumed.body.data.state, "running");
  assert.equal((await ended("held")).runs, 5000);
  const ids = (await messages("held")).map((m) => m._subscriberId);
  assert.equal(ids.length, 5000);
  assert.equal(new Set(ids).size, 5000);
});

test("statuses without a run, as the SDK knows them", async () => {
  await workflow("empty", []);
  await workflow("idle", [{ name: "Bell", type: "in_app", controlValues: { body: "x" } }], { active: false });
  const status = async (body) => {
    const { result } = await novu.trigger({ workflowId: "hello", to: "p1", payload: {}, ...body });
    assert.equal(result.acknowledged, true);
    assert.equal(result.activityFeedLink, undefined);
    return result.status;
  };
  assert.equal(await status({ workflowId: "empty" }), "no_workflow_steps_defined");
  assert.equal(await status({ workflowId: "idle" }), "trigger_not_active");
  assert.equal(await status({ tenant: "nobody" }), "no_tenant_found");
  assert.equal(await status({ to: "x".repeat(300) }), "invalid_recipients");
  assert.equal(await status({ to: [{ type: "Topic", topicKey: "no such key!" }] }), "invalid_recipients");
});

test("a tenant given as an object exists from then on", async () => {
  const made = await trigger({ to: "p1", tenant: { identifier: "acme", name: "Acme" }, transactionId: "t1" });
  assert.equal(made.body.data.status, "processed");
  await until(async () => (await messages("t1")).length === 1, "t1");
  assert.equal((await trigger({ to: "p1", tenant: "acme" })).body.data.status, "processed");
});

test("an actor is upserted and lends the avatar", async () => {
  await trigger({ to: "p2", actor: { subscriberId: "boss", avatar: "https://example.com/b.png" }, transactionId: "act" });
  const [message] = await until(async () => { const m = await messages("act"); return m.length && m; }, "act");
  assert.equal(message.avatar ?? message.actor?.data ?? message.cta?.avatar, "https://example.com/b.png");
  assert.equal((await server.call("GET", "/v2/subscribers/boss")).body.data.avatar, "https://example.com/b.png");
  // Known by now: its id is enough.
  await trigger({ to: "p2", actor: "boss", transactionId: "act2" });
  const [second] = await until(async () => { const m = await messages("act2"); return m.length && m; }, "act2");
  assert.equal(second.avatar ?? second.actor?.data, "https://example.com/b.png");
});

test("an actor may be a new recipient at the same time", async () => {
  const { status } = await trigger({ to: { subscriberId: "self", firstName: "S" }, actor: { subscriberId: "self", avatar: "https://example.com/s.png" }, transactionId: "self" });
  assert.equal(status, 201);
  await until(async () => (await messages("self")).length === 1, "self");
  const { body } = await server.call("GET", "/v2/subscribers/self");
  assert.equal(body.data.firstName, "S");
  assert.equal(body.data.avatar, "https://example.com/s.png");
});

test("an unknown agent is refused", async () => {
  assert.equal((await trigger({ to: "p1", agentId: "x" })).body.message, 'Agent with identifier "x" was not found.');
  assert.equal((await trigger({ to: "p1", agentId: " " })).body.message, "Agent identifier must be a non-empty string.");
  assert.equal((await trigger({ to: "p1", agentId: null })).status, 201);
});

test("a topic through the API: its subscribers get it, one filtered by its condition", async () => {
  for (const id of ["ta", "tb", "tc"]) assert.equal((await server.call("POST", "/v2/subscribers", { subscriberId: id })).status, 201);
  const hello = (await server.call("GET", "/v2/workflows/hello")).body.data;
  await novu.topics.create({ key: "news", name: "News" });
  await novu.topics.subscriptions.create({ subscriptions: ["ta", "tb"] }, "news");
  const { status, body } = await server.call("POST", "/v2/topics/news/subscriptions", {
    subscriptions: ["tc"], preferences: [{ workflowId: hello.workflowId, condition: { "==": [{ var: "payload.status" }, "open"] } }],
  });
  assert.equal(status, 201, JSON.stringify(body));
  const { result } = await novu.trigger({ workflowId: "hello", to: [{ type: "Topic", topicKey: "news", exclude: ["tb"] }], payload: { status: "closed" }, transactionId: "news1" });
  assert.equal(result.status, "processed");
  const now = await ended("news1");
  assert.deepEqual([now.total, now.expanded, now.runs, now.filtered], [3, 3, 1, 1]);
  await trigger({ to: [{ type: "Topic", topicKey: "news" }], payload: { status: "open" }, transactionId: "news2" });
  assert.equal((await ended("news2")).runs, 3);
  const { result: list } = await novu.notifications.list({ transactionId: "news2" });
  assert.equal(list.data.length, 3);
  assert.equal(list.data[0].topics[0].topicKey, "news");
});

test("an attachment is checked, kept apart, and named by the e-mail", async () => {
  await workflow("mail", [{ name: "Mail", type: "email", controlValues: { subject: "s", body: "<p>b</p>", editorType: "html" } }]);
  const send = (attachments, transactionId) => server.call("POST", "/v1/events/trigger", {
    name: "mail", to: { subscriberId: "p1", email: "p1@example.com" }, payload: { attachments }, transactionId });
  for (const bad of [{ name: "a.txt" }, { name: "a.txt", file: "%%%" }, { name: "a.txt", file: { type: "Buffer", data: [1, 256] } }, { name: "a", file: "" }]) {
    const { status, body } = await send([{ name: "ok", file: "aGk=" }, bad]);
    assert.equal(status, 400, JSON.stringify(bad));
    assert.equal(body.type, "PAYLOAD_VALIDATION_ERROR");
    assert.deepEqual(body.errors[0], { field: "attachments.1.file", message: "Each attachment must include file content as a base64-encoded string or Buffer" });
  }
  const large = await send([{ name: "big", file: Buffer.alloc(20971521).toString("base64") }]);
  assert.equal(large.status, 413);
  assert.equal(large.body.message, "Attachments size (20971521 bytes) exceeds maximum allowed size of 20971520 bytes (20MB).");
  const { status } = await send([
    { name: "a.txt", file: Buffer.from("hello").toString("base64"), mime: "text/plain" },
    { name: "b.bin", file: { type: "Buffer", data: [1, 2, 3] }, channels: ["sms"] },
  ], "att");
  assert.equal(status, 201);
  const mail = await until(async () => (await server.call("GET", "/v1/outbox?transactionId=att")).body.data[0], "the e-mail");
  const one = (await server.call("GET", `/v1/outbox/${mail._id ?? mail.id}`)).body.data;
  assert.deepEqual((one.attachments ?? one.content?.attachments ?? one.doc?.attachments).map((a) => a.name), ["a.txt"]);
  const run = (await server.call("GET", "/v1/notifications?transactionId=att")).body.data[0];
  assert.equal(run.payload.attachments[0].file, undefined);
  assert.match(run.payload.attachments[0].storagePath, /^[0-9a-f]{24}\/[0-9a-f]{24}\/[0-9a-f]{64}\/a\.txt$/);
});
