// Topics and subscriptions through @novu/api 3.19.1 (rest-api.md §6.5).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  for (let i = 0; i < 12; i++) await novu.subscribers.create({ subscriberId: `s${i}`, firstName: `First${i}` });
  for (const [workflowId, tags] of [["orders", ["shop"]], ["news", ["letters", "shop"]], ["alarm", []]])
    await novu.workflows.create({
      name: workflowId,
      workflowId,
      active: true,
      tags,
      steps: [{ name: "Bell", type: "in_app", controlValues: { body: "Hello" } }],
    });
});
after(() => server?.stop());

const fails = (statusCode, message) => (e) => e.statusCode === statusCode && message.test(e.message);
const text = (body) => (Array.isArray(body.errors?.general?.messages) ? body.errors.general.messages.join("; ") : body.message);

test("a topic is created, changed, listed, renamed and deleted", async () => {
  const { result: made } = await novu.topics.create({ key: "product:1", name: "Product" });
  assert.equal(made.key, "product:1");
  assert.equal((await server.call("POST", "/v2/topics", { key: "product:1" })).status, 200);
  assert.equal((await server.call("POST", "/v2/topics", { key: "product:2", data: { tier: 1 } })).body.data.data.tier, 1);
  const { result: again } = await novu.topics.create({ key: "product:1", name: "Renamed" });
  assert.equal(again.id, made.id);
  assert.equal(again.name, "Renamed");
  const { result: named } = await novu.topics.update({ name: "Third" }, "product:1");
  assert.equal(named.name, "Third");
  assert.equal((await novu.topics.get("product:1")).result.name, "Third");
  const { result: list } = await novu.topics.list({ key: "DUCT:", limit: 1 });
  assert.deepEqual(list.data.map((t) => t.key), ["product:2"]);
  assert.equal(list.totalCount, 2);
  const { result: next } = await novu.topics.list({ key: "duct", limit: 1, after: list.next });
  assert.deepEqual(next.data.map((t) => t.key), ["product:1"]);
  assert.equal(next.next, null);
  assert.deepEqual((await novu.topics.delete("product:2")).result, { acknowledged: true });
  await assert.rejects(novu.topics.get("product:2"), fails(404, /Topic with key product:2 not found/));
});

test("what topics refuse", async () => {
  await novu.topics.create({ key: "taken", name: "Taken" });
  const cases = [
    ["POST", "/v2/topics", { key: "a b" }, 400, /Invalid topic key: "a b"\. Topic keys must contain only/],
    ["POST", "/v2/topics", {}, 422, /key should not be null or undefined; key must be a string/],
    ["POST", "/v2/topics", { key: "k", name: 3 }, 422, /name must be a string/],
    ["POST", "/v2/topics", { key: "k", data: [] }, 422, /data must be an object/],
    ["POST", "/v2/topics?failIfExists=true", { key: "taken" }, 409, /Topic with key "taken" already exists/],
    ["PATCH", "/v2/topics/gone", { name: "x" }, 404, /Topic with key gone not found/],
    ["PATCH", "/v2/topics/taken", { key: "other" }, 400, /key of a topic cannot be changed/],
    ["DELETE", "/v2/topics/gone", undefined, 404, /Topic with key gone not found/],
    ["GET", "/v2/topics?orderBy=name", undefined, 422, /orderBy must be one of the following values: updatedAt, _id/],
    ["GET", "/v2/topics?limit=0", undefined, 422, /limit must not be less than 1/],
    ["GET", "/v2/topics?after=000000000000000000000001&before=000000000000000000000001", undefined, 400, /Cannot specify both "before" and "after"/],
    ["GET", "/v2/topics/gone/subscriptions", undefined, 404, /Topic with key gone not found/],
    ["DELETE", "/v2/topics/gone/subscriptions", { subscriptions: ["s1"] }, 404, /Topic with key gone not found/],
    ["POST", "/v2/topics/t/subscriptions", {}, 422, /At least one subscription is required/],
    ["POST", "/v2/topics/t/subscriptions", { subscriberIds: Array(101).fill("s1") }, 422, /Cannot subscribe more than 100 subscriptions at once/],
    ["POST", "/v2/topics/a%20b/subscriptions", { subscriberIds: ["s1"] }, 400, /Invalid topic key/],
    ["POST", "/v2/topics/t/subscriptions", { subscriberIds: [7] }, 422, /subscriberIds\.0 must be a subscriberId or an object/],
    ["POST", "/v2/topics/t/subscriptions", { subscriberIds: ["s1"], context: { a: 1 } }, 422, /context\.a must be an id/],
    ["POST", "/v2/topics/t/subscriptions", { subscriberIds: ["s1"], preferences: [{}] }, 422, /preferences\.0 must be a workflow id/],
    ["PATCH", "/v2/topics/taken/subscriptions/x", { preferences: [] }, 404, /Subscription with identifier x not found for topic taken/],
    ["GET", "/v2/subscribers/nobody/subscriptions", undefined, 404, /Subscriber not found/],
  ];
  for (const [method, path, body, status, message] of cases) {
    const answer = await server.call(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assert.match(text(answer.body), message, `${method} ${path}`);
  }
  const conflict = await server.call("POST", "/v2/topics?failIfExists=true", { key: "taken" });
  assert.equal(conflict.body.name, "Taken");
  await assert.rejects(novu.topics.get("t"), fails(404, /./), "a refused call made a topic");
});

test("subscribing: default identifiers, existing ones, missing people, the topic's name", async () => {
  const { result } = await novu.topics.subscriptions.create({ subscriptions: ["s1", { identifier: "mine", subscriberId: "s2", name: "Mine" }, "nobody"] }, "fresh");
  assert.deepEqual(result.meta, { totalCount: 3, successful: 2, failed: 1 });
  assert.deepEqual(result.data.map((s) => s.identifier), ["tk_fresh:si_s1", "mine"]);
  assert.equal(result.data[1].name, "Mine");
  assert.equal(result.data[0].subscriber.firstName, "First1");
  assert.equal(result.data[0].topic.key, "fresh");
  assert.deepEqual(result.errors, [{ subscriberId: "nobody", code: "SUBSCRIBER_NOT_FOUND", message: "Subscriber with ID 'nobody' could not be found." }]);
  assert.equal((await novu.topics.get("fresh")).result.name, "Autogenerated-fresh");
  const { result: again } = await novu.topics.subscriptions.create({ subscriptions: ["s1"] }, "fresh");
  assert.equal(again.data[0].id, result.data[0].id);
  const { result: taken } = await novu.topics.subscriptions.create({ subscriptions: ["s1", { identifier: "mine", subscriberId: "s3" }] }, "fresh");
  assert.equal(taken.errors[0].code, "SUBSCRIPTION_CREATE_FAILED");

  const all = await server.call("POST", "/v2/topics/never/subscriptions", { subscriberIds: ["nobody"] });
  assert.equal(all.status, 400);
  assert.equal(all.body.ctx.meta.failed, 1);
  assert.equal(all.body.errors[0].code, "SUBSCRIBER_NOT_FOUND");
  await assert.rejects(novu.topics.get("never"), fails(404, /./));
});

test("ten subscriptions a person and topic", async () => {
  const subscriptions = Array.from({ length: 11 }, (_, i) => ({ identifier: `n${i}`, subscriberId: "s4" }));
  const { result } = await novu.topics.subscriptions.create({ subscriptions }, "many");
  assert.equal(result.meta.successful, 10);
  assert.equal(result.errors[0].code, "SUBSCRIPTION_LIMIT_EXCEEDED");
  const { result: long } = await novu.topics.subscriptions.create({ subscriptions: ["s1", { identifier: "x".repeat(513), subscriberId: "s1" }] }, "many");
  assert.equal(long.errors[0].code, "INVALID_SUBSCRIPTION_IDENTIFIER");
});

test("preferences: named, by tag, with a condition; replaced by PATCH; contexts", async () => {
  const condition = { "==": [{ var: "payload.a" }, 1] };
  const { result } = await novu.topics.subscriptions.create(
    {
      subscriptions: ["s5"],
      context: { tenant: { id: "acme", data: { plan: "pro" } }, app: "web" },
      preferences: ["alarm", { workflowId: "orders", condition }, { filter: { tags: ["letters"] }, enabled: false }],
    },
    "wishes",
  );
  const [made] = result.data;
  assert.equal(made.identifier, "tk_wishes:si_s5:ctx_app:web,tenant:acme");
  assert.deepEqual(made.contextKeys, ["app:web", "tenant:acme"]);
  const by = Object.fromEntries(made.preferences.map((p) => [p.workflow.identifier, p]));
  assert.deepEqual(Object.keys(by).sort(), ["alarm", "news", "orders"]);
  assert.equal(by.alarm.enabled, true);
  assert.equal(by.news.enabled, false);
  assert.deepEqual(by.orders.condition, condition);
  assert.equal(by.orders.subscriptionId, made.identifier);
  assert.deepEqual((await novu.contexts.retrieve("acme", "tenant")).result.data, { plan: "pro" });

  const { result: one } = await novu.topics.subscriptions.getSubscription("wishes", made.identifier);
  assert.equal(one.id, made.id);
  assert.equal(one.preferences.length, 3);
  const { result: patched } = await novu.topics.subscriptions.update({ topicKey: "wishes", identifier: made.identifier, updateTopicSubscriptionRequestDto: { name: "N", preferences: [{ workflowId: "news" }] } });
  assert.equal(patched.name, "N");
  assert.deepEqual(patched.preferences.map((p) => [p.workflow.identifier, p.enabled]), [["news", true]]);
  const missing = await server.call("GET", "/v2/topics/wishes/subscriptions/none");
  assert.equal(missing.status, 204);
  assert.equal(missing.text, "");
});

test("lists by topic and by person, with contexts and cursors", async () => {
  await novu.topics.subscriptions.create({ subscriptions: ["s6", "s7", "s8"] }, "listed");
  await novu.topics.subscriptions.create({ subscriptions: ["s6"], context: { tenant: "acme" } }, "listed");
  await novu.topics.subscriptions.create({ subscriptions: ["s6"] }, "other-list");
  const { result: page } = await novu.topics.subscriptions.list({ topicKey: "listed", limit: 3 });
  assert.equal(page.data.length, 3);
  assert.equal(page.totalCount, 4);
  const { result: rest } = await novu.topics.subscriptions.list({ topicKey: "listed", limit: 3, after: page.next });
  assert.equal(rest.data.length, 1);
  assert.equal(rest.previous, rest.data[0].id);
  const counts = [
    [{ subscriberId: "s6" }, 2],
    [{ contextKeys: ["tenant:acme"] }, 1],
    [{ contextKeys: [""] }, 3],
    [{ subscriberId: "nobody" }, 0],
  ];
  for (const [query, n] of counts) assert.equal((await novu.topics.subscriptions.list({ topicKey: "listed", ...query })).result.data.length, n, JSON.stringify(query));
  const { result: mine } = await novu.subscribers.topics.list({ subscriberId: "s6" });
  assert.equal(mine.data.length, 3);
  assert.equal((await novu.subscribers.topics.list({ subscriberId: "s6", key: "OTHER" })).result.data[0].topic.key, "other-list");
});

test("unsubscribing by person, by identifier, and all failing", async () => {
  await novu.topics.subscriptions.create({ subscriptions: ["s9", { identifier: "second", subscriberId: "s9" }, "s10", "s11"] }, "leave");
  const { result } = await novu.topics.subscriptions.delete({ subscriptions: ["s9", { identifier: "tk_leave:si_s10" }, { identifier: "tk_leave:si_s11", subscriberId: "s1" }] }, "leave");
  assert.equal(result.data.length, 3);
  assert.deepEqual(result.meta, { totalCount: 3, successful: 2, failed: 1 });
  assert.equal(result.errors[0].code, "SUBSCRIPTION_NOT_FOUND");
  assert.deepEqual((await novu.topics.subscriptions.list({ topicKey: "leave" })).result.data.map((s) => s.subscriber.subscriberId), ["s11"]);
  const none = await server.call("DELETE", "/v2/topics/leave/subscriptions", { subscriptions: ["s9", { subscriberId: "nobody" }] });
  assert.equal(none.status, 400);
  assert.deepEqual(none.body.ctx.errors.map((e) => e.code), ["SUBSCRIPTION_NOT_FOUND", "SUBSCRIBER_NOT_FOUND"]);
});

test("a deleted topic or subscriber leaves the lists at once; the key is free again", async () => {
  await novu.topics.subscriptions.create({ subscriptions: ["s1", "s2"] }, "gone-soon");
  await novu.topics.delete("gone-soon");
  assert.equal((await novu.subscribers.topics.list({ subscriberId: "s2", key: "gone-soon" })).result.data.length, 0);
  await novu.topics.create({ key: "gone-soon", name: "New" });
  assert.equal((await novu.topics.subscriptions.list({ topicKey: "gone-soon" })).result.data.length, 0);
  await novu.subscribers.create({ subscriberId: "leaver" });
  await novu.topics.subscriptions.create({ subscriptions: ["leaver", "s1"] }, "gone-soon");
  await novu.subscribers.delete("leaver");
  assert.equal((await novu.topics.subscriptions.list({ topicKey: "gone-soon" })).result.totalCount, 1);
});

test("v1 topics", async () => {
  const call = (method, path, body) => server.call(method, `/v1${path}`, body);
  const made = await call("POST", "/topics", { key: "old", name: "Old" });
  assert.equal(made.status, 201);
  assert.deepEqual(Object.keys(made.body.data), ["_id", "key"]);
  assert.equal((await call("POST", "/topics", { key: "old", name: "Old" })).status, 409);
  assert.equal((await call("POST", "/topics", { key: "nameless" })).status, 422);
  const added = await call("POST", "/topics/old/subscribers", { subscribers: ["s1", "nobody"] });
  assert.deepEqual(added.body.data, { succeeded: ["s1"], failed: { notFound: ["nobody"] } });
  const { result: member } = await novu.topics.subscribers.retrieve("s1", "old");
  assert.equal(member.externalSubscriberId, "s1");
  await assert.rejects(novu.topics.subscribers.retrieve("s2", "old"), fails(404, /Subscriber s2 not found for topic old/));
  assert.deepEqual((await call("GET", "/topics/old")).body.data.subscribers, ["s1"]);
  const list = await call("GET", "/topics?key=old&pageSize=5");
  assert.equal(list.body.pageSize, 5);
  assert.deepEqual(list.body.data.map((t) => t.key), ["old"]);
  assert.equal((await call("GET", "/topics?pageSize=11")).status, 400);
  assert.equal((await call("PATCH", "/topics/old", { name: "Newer" })).body.data.name, "Newer");
  assert.equal((await call("DELETE", "/topics/old")).status, 409);
  assert.equal((await call("POST", "/topics/old/subscribers/removal", { subscribers: ["s1"] })).status, 204);
  assert.equal((await call("DELETE", "/topics/old")).status, 204);
  assert.equal((await call("DELETE", "/topics/old")).status, 404);
});
