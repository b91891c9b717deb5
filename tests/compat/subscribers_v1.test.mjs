// Credentials, presence, messages and the v1 routes of subscribers, through @novu/api 3.19.1 and @novu/node 2.6.6
// (rest-api.md §6.2, §6.6, §7).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Novu as Older } from "@novu/node";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, older;
const text = (body) => body.errors?.general?.messages?.join("; ") ?? body.message;
const refused = async (cases) => {
  for (const [method, path, body, status, message] of cases) {
    const answer = await server.call(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assert.match(text(answer.body), message, `${method} ${path}`);
  }
};

before(async () => {
  server = await Carillon.start();
  novu = api(server);
  older = new Older(server.dev.secretKey, { backendUrl: server.url });
  for (const [identifier, providerId, channel] of [["fcm-1", "fcm", "push"], ["fcm-2", "fcm", "push"], ["slack-1", "slack", "chat"]])
    await novu.integrations.create({ providerId, channel, identifier, active: true, name: identifier });
  await novu.workflows.create({
    name: "Bell",
    workflowId: "bell",
    active: true,
    steps: [{ name: "Bell", type: "in_app", controlValues: { body: "No. {{payload.n}}", primaryAction: { label: "Go" } } }],
  });
});
after(() => server?.stop());

const tokens = (subscriber, identifier) => subscriber.channels.find((c) => c.integrationIdentifier === identifier)?.credentials.deviceTokens;

test("device tokens are replaced by PUT, joined by PATCH, kept once, limited", async () => {
  await novu.subscribers.create({ subscriberId: "phone" });
  const put = (deviceTokens, integrationIdentifier) => novu.subscribers.credentials.update({ providerId: "fcm", integrationIdentifier, credentials: { deviceTokens } }, "phone");
  const join = (deviceTokens) => novu.subscribers.credentials.append({ providerId: "fcm", credentials: { deviceTokens } }, "phone");
  assert.deepEqual(tokens((await put(["a", "b", "a"])).result, "fcm-2"), ["a", "b"], "the newest active integration");
  assert.deepEqual(tokens((await put(["c"])).result, "fcm-2"), ["c"]);
  assert.deepEqual(tokens((await join(["d", "c"])).result, "fcm-2"), ["c", "d"]);
  const { result } = await put(["x"], "fcm-1");
  assert.deepEqual(tokens(result, "fcm-1"), ["x"]);
  assert.deepEqual(tokens(result, "fcm-2"), ["c", "d"]);
  const many = Array.from({ length: 99 }, (_, i) => `t${i}`);
  const over = await server.call("PATCH", "/v1/subscribers/phone/credentials", { providerId: "fcm", credentials: { deviceTokens: many } });
  assert.equal(over.status, 400);
  assert.equal(over.body.message, "Device tokens limit exceeded. Maximum allowed tokens per subscriber channel is 100, but got 101 tokens.");
  assert.deepEqual(over.body.ctx, { currentCount: 101, limit: 100 });
  assert.deepEqual(tokens((await join([])).result, "fcm-2"), []);
  const { result: chat } = await novu.subscribers.credentials.update({ providerId: "slack", credentials: { webhookUrl: "https://hook.example/1" } }, "phone");
  assert.equal(chat.channels.find((c) => c.providerId === "slack").credentials.webhookUrl, "https://hook.example/1");
  await novu.subscribers.credentials.delete("phone", "fcm");
  assert.deepEqual((await novu.subscribers.retrieve("phone")).result.channels.map((c) => c.providerId), ["slack"]);
});

test("what credentials refuse", async () => {
  const credentials = { deviceTokens: ["a"] };
  await refused([
    ["PUT", "/v1/subscribers/phone/credentials", { providerId: "apns", credentials }, 400, /^Subscribers environment \([0-9a-f]{24}\) do not have active apns integration\.$/],
    ["PUT", "/v1/subscribers/phone/credentials", { providerId: "fcm", integrationIdentifier: "nope", credentials }, 400, /do not have active fcm integration/],
    ["PUT", "/v1/subscribers/phone/credentials", { providerId: "pigeon", credentials }, 422, /providerId must be one of the following values: slack/],
    ["PUT", "/v1/subscribers/phone/credentials", { providerId: "fcm" }, 422, /credentials must be an object/],
    ["PATCH", "/v1/subscribers/phone/credentials", { providerId: "fcm", credentials: { deviceTokens: [1] } }, 422, /each value in credentials\.deviceTokens must be a string/],
    ["PUT", "/v1/subscribers/nobody/credentials", { providerId: "fcm", credentials }, 404, /^Subscriber not found$/],
    ["DELETE", "/v1/subscribers/nobody/credentials/fcm", undefined, 404, /^Subscriber 'nobody' was not found$/],
    ["PATCH", "/v1/subscribers/nobody/online-status", { isOnline: true }, 404, /^Subscriber not found$/],
    ["PATCH", "/v1/subscribers/phone/online-status", {}, 422, /isOnline must be a boolean value/],
  ]);
});

test("channels given with the subscriber", async () => {
  const channels = [{ providerId: "fcm", credentials: { deviceTokens: ["one"] } }];
  const made = await server.call("POST", "/v2/subscribers", { subscriberId: "with-channels", channels });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(tokens((await novu.subscribers.retrieve("with-channels")).result, "fcm-2"), ["one"]);
  const more = [{ providerId: "fcm", credentials: { deviceTokens: ["two", "one"] } }];
  assert.equal((await server.call("PUT", "/v1/subscribers/with-channels", { channels: more })).status, 200);
  assert.deepEqual(tokens((await novu.subscribers.retrieve("with-channels")).result, "fcm-2"), ["one", "two"]);
  const bulk = await server.call("POST", "/v1/subscribers/bulk", {
    subscribers: [{ subscriberId: "b1", channels }, { subscriberId: "b2", channels: [{ providerId: "apns", credentials: {} }] }, { subscriberId: "b3", channels: [{}] }],
  });
  assert.deepEqual(bulk.body.data.created, [{ subscriberId: "b1" }]);
  assert.match(bulk.body.data.failed[0].message, /do not have active apns integration/);
  assert.match(bulk.body.data.failed[1].message, /channels\.0\.providerId must be one of/);
  await refused([["POST", "/v2/subscribers", { subscriberId: "x", channels: [{ providerId: "apns", credentials: {} }] }, 400, /active apns/]]);
  const conflict = await server.call("POST", "/v2/subscribers?failIfExists=true", { subscriberId: "with-channels" });
  assert.equal(conflict.status, 409);
  assert.equal(conflict.body.subscriberId, "with-channels");
});

test("online and offline", async () => {
  await novu.subscribers.create({ subscriberId: "here" });
  const { result: on } = await novu.subscribers.properties.updateOnlineFlag({ isOnline: true }, "here");
  assert.equal(on.isOnline, true);
  assert.equal(on.lastOnlineAt, null);
  const { result: off } = await novu.subscribers.properties.updateOnlineFlag({ isOnline: false }, "here");
  assert.equal(off.isOnline, false);
  assert.ok(Date.parse(off.lastOnlineAt) > 0);
});

const send = async (subscriberId, n, more = {}) => {
  for (let i = 0; i < n; i++) await novu.trigger({ workflowId: "bell", to: { subscriberId }, payload: { n: i, even: i % 2 === 0 }, transactionId: `${subscriberId}-${i}`, ...more });
  return until(async () => {
    const { result } = await novu.messages.retrieve({ subscriberId, limit: 50 });
    return result.data.length >= n && result.data;
  }, `${n} messages of ${subscriberId}`);
};

test("feed, unseen count and marks", async () => {
  await novu.subscribers.create({ subscriberId: "reader" });
  const sent = await send("reader", 5);
  const unseen = async (more) => (await novu.subscribers.notifications.unseenCount({ subscriberId: "reader", ...more })).result.count;
  assert.equal(await unseen(), 5);
  assert.equal(await unseen({ limit: 3 }), 3);
  const { result: feed } = await novu.subscribers.notifications.feed({ subscriberId: "reader", limit: 2, page: 1 });
  assert.deepEqual(feed.data.map((m) => m.content), ["No. 2", "No. 1"]);
  assert.equal(feed.hasMore, true);
  const payload = Buffer.from(JSON.stringify({ even: true })).toString("base64");
  assert.deepEqual((await novu.subscribers.notifications.feed({ subscriberId: "reader", payload })).result.data.map((m) => m.content), ["No. 4", "No. 2", "No. 0"]);
  const mark = (messageId, markAs) => server.call("POST", "/v1/subscribers/reader/messages/mark-as", { messageId, markAs });
  const { result: read } = await novu.subscribers.messages.markAllAs({ messageId: [sent[0].id, sent[1].id, "ffffffffffffffffffffffff"], markAs: "read" }, "reader");
  assert.deepEqual(read.map((m) => [m.seen, m.read]), [[true, true], [true, true]]);
  assert.equal(await unseen(), 3);
  assert.equal(await unseen({ seen: true }), 2);
  assert.equal((await novu.subscribers.notifications.feed({ subscriberId: "reader", read: true })).result.data.length, 2);
  assert.equal((await mark(sent[0].id, "unread")).body.data[0].read, false);
  assert.equal((await mark(sent[0].id, "unseen")).body.data[0].seen, false);
  const old = await server.call("POST", "/v1/subscribers/reader/messages/markAs", { messageId: sent[2].id, mark: { read: true } });
  assert.equal(old.body.data[0].read, true);
  assert.equal((await novu.subscribers.messages.markAll({ markAs: "seen" }, "reader")).result, 3);
  assert.equal((await novu.subscribers.messages.markAll({ markAs: "read" }, "reader")).result, 3);
  assert.equal((await novu.subscribers.messages.markAll({ markAs: "read", feedIdentifier: "none" }, "reader")).result, 0);
  assert.equal(await unseen(), 0);
  const { result: done } = await novu.subscribers.messages.updateAsSeen({ messageId: sent[0].id, type: "primary", subscriberId: "reader", markMessageActionAsSeenDto: { status: "done" } });
  assert.equal(done.cta.action.status, "done");
  const base = "/v1/subscribers/reader";
  await refused([
    ["POST", `${base}/messages/mark-as`, { markAs: "read" }, 400, /^messageId is required$/],
    ["POST", `${base}/messages/mark-as`, { messageId: "x", markAs: "eaten" }, 422, /markAs must be one of the following values/],
    ["POST", `${base}/messages/mark-all`, {}, 422, /markAs must be one of the following values/],
    ["POST", `${base}/messages/${sent[0].id}/actions/third`, { status: "done" }, 422, /type must be one of the following values: primary, secondary/],
    ["POST", `${base}/messages/${sent[0].id}/actions/secondary`, { status: "done" }, 400, /secondary button because it does not exist/],
    ["POST", `${base}/messages/ffffffffffffffffffffffff/actions/primary`, { status: "done" }, 404, /Message with id ffffffffffffffffffffffff not found/],
    ["GET", `${base}/notifications/feed?payload=!!`, undefined, 400, /Invalid payload/],
    ["GET", "/v1/subscribers/nobody/notifications/feed", undefined, 400, /^Subscriber not found for this environment with the id: nobody\. Make sure to create a subscriber before fetching the feed\.$/],
    ["POST", "/v1/subscribers/nobody/messages/mark-all", { markAs: "read" }, 404, /^Subscriber nobody does not exist in environment [0-9a-f]{24}, please provide/],
  ]);
});

test("messages: filters, limits, deletion", async () => {
  await novu.subscribers.create({ subscriberId: "boxed" });
  await send("boxed", 3);
  await novu.trigger({ workflowId: "bell", to: "boxed", payload: { n: 9 }, transactionId: "boxed-acme", context: { tenant: "acme" } });
  const list = async (query) => (await novu.messages.retrieve({ subscriberId: "boxed", ...query })).result;
  const all = await until(async () => { const r = await list({}); return r.data.length === 4 && r; }, "four messages");
  assert.equal(all.hasMore, false);
  const counts = [
    [{ contextKeys: ["tenant:acme"] }, 1],
    [{ contextKeys: [""] }, 3],
    [{ transactionId: ["boxed-0", "boxed-2", "none"] }, 2],
    [{ channel: "email" }, 0],
    [{ channel: "in_app", limit: 2 }, 2],
    [{ limit: 3, page: 1 }, 1],
  ];
  for (const [query, n] of counts) assert.equal((await list(query)).data.length, n, JSON.stringify(query));
  assert.equal((await list({ limit: 3 })).hasMore, true);
  assert.deepEqual((await novu.messages.delete(all.data[0].id)).result, { acknowledged: true, status: "deleted" });
  await novu.messages.deleteByTransactionId("boxed-1");
  assert.equal((await list({})).data.length, 2);
  await refused([
    ["GET", "/v1/messages?limit=1001", undefined, 400, /^Limit can not be larger then 1000$/],
    ["GET", "/v1/messages?subscriberId=nobody", undefined, 404, /nobody not found/],
    ["GET", "/v1/messages?channel=pigeon", undefined, 422, /channel must be one of/],
    ["DELETE", `/v1/messages/${all.data[0].id}`, undefined, 404, /Message with id [0-9a-f]{24} not found/],
    ["DELETE", "/v1/messages/transaction/boxed-0?channel=email", undefined, 404, /^Invalid transactionId or channel$/],
    ["DELETE", "/v1/messages/transaction/none", undefined, 404, /^Invalid transactionId or channel$/],
  ]);
});

test("a deleted subscriber's messages and runs are gone at once", async () => {
  await novu.subscribers.create({ subscriberId: "leaver" });
  await send("leaver", 3);
  const gone = await server.call("DELETE", "/v1/subscribers/leaver");
  assert.deepEqual(gone.body.data, { acknowledged: true, status: "deleted" });
  for (const transactionId of ["leaver-0", "leaver-2"]) {
    assert.equal((await server.call("GET", `/v1/messages?transactionId=${transactionId}`)).body.data.length, 0);
    assert.equal((await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data.length, 0);
  }
  const again = await server.call("DELETE", "/v1/subscribers/leaver");
  assert.equal(again.status, 404);
  assert.equal(again.body.message, "Subscriber was not found");
  assert.equal(again.body.ctx.externalSubscriberId, "leaver");
});

test("@novu/node 2.6.6", async () => {
  const { data: made } = await older.subscribers.identify("old-timer", { firstName: "Old", email: "old@example.com" });
  assert.equal(made.data.firstName, "Old");
  assert.equal((await older.subscribers.update("old-timer", { lastName: "Timer" })).data.data.lastName, "Timer");
  assert.equal((await older.subscribers.get("old-timer")).data.data.email, "old@example.com");
  const { data: page } = await older.subscribers.list(0, 2);
  assert.equal(page.data.length, 2);
  assert.equal(page.hasMore, true);
  assert.equal(page.pageSize, 2);
  assert.equal((await older.subscribers.bulkCreate([{ subscriberId: "ob1" }])).data.data.created.length, 1);
  assert.equal((await older.subscribers.setCredentials("old-timer", "fcm", { deviceTokens: ["t"] })).data.data.channels.length, 1);
  assert.equal((await older.subscribers.deleteCredentials("old-timer", "fcm")).status, 204);
  assert.equal((await older.subscribers.updateOnlineStatus("old-timer", true)).data.data.isOnline, true);
  const preferences = (await older.subscribers.getPreference("old-timer")).data.data;
  assert.equal(preferences[0].template.name, "Bell");
  const { data: changed } = await older.subscribers.updatePreference("old-timer", preferences[0].template._id, { channel: { type: "in_app", enabled: false } });
  assert.equal(changed.data.preference.channels.in_app, false);
  assert.equal((await older.subscribers.updateGlobalPreference("old-timer", { preferences: [{ type: "in_app", enabled: true }] })).data.data.preference.enabled, true);
  assert.equal((await older.subscribers.getGlobalPreference("old-timer").catch(() => older.subscribers.getPreferenceByLevel("old-timer", "global"))).data.data[0].preference.channels.in_app, true);
  const [message] = await send("old-timer", 1);
  assert.equal((await older.subscribers.getNotificationsFeed("old-timer", { page: 0 })).data.data.length, 1);
  assert.equal((await older.subscribers.getUnseenCount("old-timer", false)).data.data.count, 1);
  assert.equal((await older.subscribers.markMessageAs("old-timer", message.id, { seen: true, read: true })).data.data[0].read, true);
  assert.equal((await older.subscribers.markAllMessagesAs("old-timer", "unread")).data.data, 1);
  assert.equal((await older.subscribers.markMessageActionSeen("old-timer", message.id, "primary", { status: "done" })).data.data.cta.action.status, "done");

  assert.equal((await older.topics.create({ key: "old-topic", name: "Old" })).data.data.key, "old-topic");
  assert.deepEqual((await older.topics.addSubscribers("old-topic", { subscribers: ["old-timer"] })).data.data.succeeded, ["old-timer"]);
  assert.equal((await older.topics.getSubscriber("old-topic", "old-timer")).data.data.externalSubscriberId, "old-timer");
  const withTopics = await server.call("GET", "/v1/subscribers/old-timer?includeTopics=true");
  assert.deepEqual(withTopics.body.data.topics, ["old-topic"]);
  assert.equal((await older.topics.list({ page: 0 })).data.data.length, 1);
  assert.equal((await older.topics.rename("old-topic", "New")).data.data.name, "New");
  await assert.rejects(older.topics.delete("old-topic"), (e) => e.response.status === 409);
  assert.equal((await older.topics.removeSubscribers("old-topic", { subscribers: ["old-timer"] })).status, 204);
  assert.equal((await older.topics.delete("old-topic")).status, 204);

  assert.equal((await older.messages.list({ subscriberId: "old-timer" })).data.data.length, 1);
  assert.equal((await older.messages.deleteById(message.id)).data.data.acknowledged, true);
  assert.equal((await older.subscribers.delete("old-timer")).data.data.status, "deleted");
});

test("what is held about a person is exported, and erased", async () => {
  await novu.subscribers.create({ subscriberId: "person", email: "person@example.com" });
  await novu.subscribers.create({ subscriberId: "bystander" });
  await novu.topics.subscriptions.create({ subscriptions: ["person"] }, "people");
  await novu.subscribers.preferences.update({ channels: { sms: false } }, "person");
  await send("person", 3);
  await novu.trigger({ workflowId: "bell", to: ["person", { subscriberId: "bystander" }], payload: { n: 7 }, transactionId: "both" });
  await until(async () => (await novu.messages.retrieve({ transactionId: ["both"] })).result.data.length === 2, "both messages");
  const { body } = await server.call("GET", "/v2/subscribers/person/export?limit=3");
  const all = body.data;
  assert.equal(all.subscriber.email, "person@example.com");
  assert.deepEqual(all.preferences[0].channels, { sms: false });
  assert.equal(all.subscriptions[0].topicKey, "people");
  assert.equal(all.notifications.length, 3);
  assert.equal(all.notifications[0].messages[0].content, "No. 7");
  assert.equal(all.hasMore, true);
  assert.equal((await server.call("GET", "/v2/subscribers/person/export?limit=3&page=1")).body.data.notifications.length, 1);
  assert.equal((await server.call("GET", "/v2/subscribers/nobody/export")).status, 404);

  assert.equal((await server.call("DELETE", "/v2/subscribers/person?erase=true")).status, 200);
  assert.equal((await server.call("GET", "/v2/subscribers/person/export")).status, 404);
  assert.equal((await server.call("GET", "/v1/notifications?transactionId=person-0")).body.data.length, 0);
  const left = (await server.call("GET", "/v1/notifications?transactionId=both")).body.data;
  assert.equal(left.length, 1);
  assert.doesNotMatch(JSON.stringify(left), /"person"/);
});
