// Facts that upstream's own end-to-end tests of subscribers, their preferences and their messages assert, and that no other file
// here states: apps/api/src/app/{subscribers,subscribers-v2,messages,notifications,feeds}/**/*.e2e.ts in novuhq/novu, newest
// stored versions, read line by line.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

const bell = { type: "in_app", name: "In", controlValues: { body: "b", primaryAction: { label: "One" }, secondaryAction: { label: "Two" } } };
const mail = { type: "email", name: "Mail", controlValues: { subject: "s", body: "b" } };
let made = 0;
const workflow = async (more = {}) => {
  const workflowId = `wf-${made++}`;
  const { result } = await novu.workflows.create({ name: workflowId, workflowId, active: true, steps: [bell, mail], ...more });
  return { id: result.id, identifier: workflowId, slug: result.slug, name: workflowId };
};
let people = 0;
const person = async (more = {}) => (await novu.subscribers.create({ subscriberId: `p-${people++}`, ...more })).result.subscriberId;
const fails = async (promise, status, message = /./) => {
  await assert.rejects(promise, (e) => {
    assert.equal(e.statusCode, status, e.message);
    assert.match(e.message, message);
    return true;
  });
};
const messages = (query, n) => until(async () => {
  const { result } = await novu.messages.retrieve({ limit: 100, ...query });
  return result.data.length === n && result.data;
}, `${n} messages of ${JSON.stringify(query)}`);

test("what was never given is not there; what a patch clears is null in its answer", async () => {
  const { result: bare } = await novu.subscribers.create({ subscriberId: "bare" });
  const { result: found } = await novu.subscribers.retrieve("bare");
  for (const s of [bare, found]) for (const key of ["firstName", "lastName", "timezone", "locale"]) assert.equal(s[key], undefined, key);
  const full = { firstName: "F", lastName: "L", email: "f@example.com", phone: "+1234567890", avatar: "https://x.example/a.png", locale: "en_US",
    timezone: "America/New_York", data: { foo: 42, bar: "42" } };
  const { result: upserted } = await novu.subscribers.create({ subscriberId: "bare", ...full });
  for (const [key, value] of Object.entries(full)) assert.deepEqual(upserted[key], value, key);
  assert.equal((await novu.subscribers.search({ subscriberId: "bare" })).result.data.length, 1);
  for (const [key, value] of Object.entries(full)) {
    const { result } = await novu.subscribers.patch({ [key]: null }, "bare");
    assert.equal(result[key], null, key);
    if (key !== "data") assert.equal((await novu.subscribers.retrieve("bare")).result[key], undefined, key);
    const { result: again } = await novu.subscribers.patch({ [key]: value }, "bare");
    for (const [k, v] of Object.entries(full)) assert.deepEqual(again[k], v, `${key}: ${k}`);
  }
});

for (const [field, value, ok] of [
  ["firstName", "", true], ["lastName", "", true], ["phone", "", true], ["avatar", "", true],
  ["email", ""], ["email", "invalid-email"], ["email", "a b@example.com"], ["email", "a@@example.com"], ["email", "@example.com"], ["email", "a@example"],
  ["email", "a@example..com"], ["email", "a@.com"], ["email", "a@example."], ["email", "jörg.o'hara+tag@sub.exämple.com", true], ["email", "a@b.co", true],
  ["locale", ""], ["locale", "!!!invalid!!!"], ["locale", "e"], ["locale", "en_"], ["locale", "en__US"], ["locale", "1n"], ["locale", "en_US", true], ["locale", "de", true],
  ["locale", "zh-Hant-TW", true], ["locale", "es-419", true],
  ["timezone", ""], ["timezone", "Invalid/Timezone"], ["timezone", "Europe/Rome", true], ["timezone", "UTC", true],
])
  test(`${field} ${JSON.stringify(value)} is ${ok ? "taken" : "refused by name"}`, async () => {
    await novu.subscribers.create({ subscriberId: "checked", firstName: "Before" });
    for (const [method, path, body] of [["PATCH", "/v2/subscribers/checked", { [field]: value }], ["POST", "/v2/subscribers", { subscriberId: "checked", [field]: value }]]) {
      const answer = await server.call(method, path, body);
      assert.equal(answer.status, ok ? (method === "POST" ? 201 : 200) : 422, answer.text);
      if (ok) assert.equal(answer.body.data[field], value);
      else assert.match(JSON.stringify(answer.body.errors), new RegExp(field));
    }
  });

test("a patch of nothing changes nothing, one of the identifier neither", async () => {
  const subscriberId = await person({ firstName: "F", email: "f@example.com", phone: "+1" });
  const before = (await novu.subscribers.retrieve(subscriberId)).result;
  const { result } = await novu.subscribers.patch({}, subscriberId);
  for (const key of ["firstName", "lastName", "email", "phone"]) assert.equal(result[key], before[key]);
  const renamed = await server.call("PATCH", `/v2/subscribers/${subscriberId}`, { subscriberId: "other", firstName: "Updated" });
  assert.deepEqual([renamed.status, renamed.body.data.subscriberId, renamed.body.data.firstName], [200, subscriberId, "Updated"]);
  await fails(novu.subscribers.patch({ firstName: "x" }, "non-existent"), 404);
  await fails(novu.subscribers.retrieve("non-existent"), 404);
});

test("a bulk of more than 500 is refused by the field; who was deleted is created again", async () => {
  const answer = await server.call("POST", "/v1/subscribers/bulk", { subscribers: Array(501).fill({ subscriberId: "x" }) });
  assert.equal(answer.status, 422);
  assert.equal(answer.body.errors.subscribers.messages[0], "subscribers must contain no more than 500 elements");
  assert.equal(await server.call("GET", "/v2/subscribers/x").then((r) => r.status), 404);
  await fails(novu.triggerBulk({ events: Array(101).fill({ workflowId: "x", to: "y" }) }), 422, /events must contain no more than 100 elements/);
  const existing = await person(), subscribers = [existing, "again-1", "again-2"].map((subscriberId) => ({ subscriberId, firstName: "F" }));
  for (let i = 0; i < 2; i++) {
    const { result } = await novu.subscribers.createBulk({ subscribers: [...subscribers, { subscriberId: "again-2", firstName: "G" }] });
    assert.deepEqual(result.updated.map((s) => s.subscriberId), [existing, "again-2"]);
    assert.deepEqual(result.created.map((s) => s.subscriberId), ["again-1", "again-2"]);
    assert.deepEqual(result.failed, []);
    assert.equal((await novu.subscribers.retrieve("again-2")).result.firstName, "G");
    for (const id of ["again-1", "again-2"]) await novu.subscribers.delete(id);
  }
});

test("a deleted subscriber is in no topic, and has no messages", async () => {
  const subscriberId = await person(), wf = await workflow();
  const topics = Array.from({ length: 12 }, (_, i) => `gone-${i}`);
  for (const key of topics) await server.call("POST", `/v1/topics/${key}/subscribers`, { subscribers: [subscriberId] });
  await novu.trigger({ workflowId: wf.identifier, to: { subscriberId } });
  await messages({ subscriberId, channel: "in_app" }, 1);
  assert.equal((await novu.subscribers.topics.list({ subscriberId, limit: 100 })).result.data.length, 12);
  await novu.subscribers.delete(subscriberId);
  for (const key of topics) assert.deepEqual((await server.call("GET", `/v1/topics/${key}`)).body.data.subscribers, []);
  await novu.subscribers.create({ subscriberId });
  assert.deepEqual((await novu.subscribers.topics.list({ subscriberId })).result.data, []);
  assert.deepEqual((await novu.messages.retrieve({ subscriberId })).result.data, []);
});

test("one by one through somebody's subscriptions, forth and back", async () => {
  const subscriberId = await person(), keys = ["walk-0", "walk-1", "walk-2"];
  for (const key of keys) await novu.topics.subscriptions.create({ subscriptions: [subscriberId] }, key);
  const page = async (more) => (await novu.subscribers.topics.list({ subscriberId, limit: 1, ...more })).result;
  const first = await page({}), second = await page({ after: first.next }), third = await page({ after: second.next });
  assert.deepEqual([first.previous, typeof second.previous, typeof third.previous, third.next], [null, "string", "string", null]);
  const back = await page({ before: third.previous });
  assert.equal(back.data[0].id, second.data[0].id);
  assert.deepEqual([typeof back.next, typeof back.previous], ["string", "string"]);
  assert.equal(new Set([first, second, third].map((p) => p.data[0].topic.key)).size, 3);
  assert.deepEqual((await novu.subscribers.topics.list({ subscriberId, key: "walk-1" })).result.data.map((s) => [s.topic.key, s.subscriber.subscriberId]), [["walk-1", subscriberId]]);
  const nobody = await novu.subscribers.topics.list({ subscriberId: await person() });
  assert.deepEqual([nobody.result.data, nobody.result.next, nobody.result.previous], [[], null, null]);
  await fails(novu.subscribers.topics.list({ subscriberId: "non-existent" }), 404, /Subscriber not found/);
});

test("pages of subscribers: forth, back as they were, and in either order", async () => {
  const prefix = "paged-";
  for (let i = 0; i < 10; i++) await person({ subscriberId: `${prefix}${i}`, email: `${prefix}${i}@example.com` });
  const search = async (more) => (await novu.subscribers.search({ email: prefix, limit: 5, ...more })).result;
  for (const order of [{}, { orderBy: "_id", orderDirection: "ASC" }, { orderBy: "_id", orderDirection: "DESC" }, { orderBy: "updatedAt", orderDirection: "ASC" }]) {
    const first = await search(order), second = await search({ ...order, after: first.next });
    assert.deepEqual([first.data.length, second.data.length, first.previous, second.next], [5, 5, null, null]);
    assert.equal(new Set([...first.data, ...second.data].map((s) => s.id)).size, 10);
    assert.deepEqual((await search({ ...order, before: second.previous })).data, first.data);
    const ids = [...first.data, ...second.data].map((s) => s.id), sorted = ids.toSorted();
    assert.deepEqual(ids, order.orderDirection === "ASC" ? sorted : sorted.toReversed());
  }
  const one = await search({ limit: 1 });
  assert.deepEqual([one.data.length, typeof one.next, one.previous], [1, "string", null]);
  assert.deepEqual((await novu.subscribers.search({ email: "nonexistent@email.com" })).result.data, []);
});

test("preferences: named in each way, inherited, many at once, in contexts", async () => {
  const subscriberId = await person(), wf = await workflow(), other = await workflow();
  const prefs = novu.subscribers.preferences;
  const of = (answer, w) => answer.workflows.find((x) => x.workflow.identifier === w.identifier);
  for (const [workflowId, channels] of [[wf.id, { email: false, inApp: true }], [wf.identifier, { email: true, inApp: false }], [wf.slug, { email: false, inApp: true }]]) {
    const { result } = await prefs.update({ channels, workflowId }, subscriberId);
    assert.deepEqual(of(result, wf).channels, channels, workflowId);
    assert.deepEqual(result.global.channels, { email: true, inApp: true });
    assert.equal(of(result, wf).workflow.name, wf.name);
  }
  const { result: global } = await prefs.update({ channels: { email: false, inApp: false } }, subscriberId);
  assert.deepEqual([global.global.channels, of(global, wf).channels], [{ email: false, inApp: false }, { email: false, inApp: false }]);
  await prefs.update({ channels: { email: false, inApp: true } }, subscriberId);
  const later = await workflow();
  assert.deepEqual(of((await prefs.list({ subscriberId })).result, later).channels, { email: false, inApp: true });

  const many = await prefs.bulkUpdate({ preferences: [{ workflowId: wf.id, channels: { email: false, inApp: true, sms: false } },
    { workflowId: other.id, channels: { email: true, inApp: false, push: true } }, { workflowId: later.identifier, channels: { email: false, inApp: true, chat: true } }] }, subscriberId);
  assert.deepEqual(many.result.map((p) => [p.workflow.id, p.channels.email, p.channels.inApp]), [[wf.id, false, true], [other.id, true, false], [later.id, false, true]]);
  await fails(prefs.bulkUpdate({ preferences: Array(101).fill({ workflowId: wf.id, channels: { email: true } }) }, subscriberId), 422, /Validation Error/);
  await fails(prefs.bulkUpdate({ preferences: [{ workflowId: "nope", channels: { email: true } }] }, subscriberId), 404, /Workflows with ids: nope not found/);
  await fails(prefs.bulkUpdate({ preferences: [{ workflowId: wf.id, channels: { email: true } }] }, "non-existent"), 404);
  await fails(prefs.update({ channels: { email: false } }, "non-existent"), 404);
  await fails(prefs.update({ channels: { email: false }, workflowId: "nope" }, subscriberId), 404);

  const two = await person();
  const listed = async (key) => (await prefs.list({ subscriberId: two, contextKeys: [key] })).result;
  await prefs.update({ workflowId: wf.id, channels: { email: false, inApp: true }, context: { organization: "org_1" } }, two);
  await prefs.update({ workflowId: wf.id, channels: { email: true, inApp: false }, context: { organization: { id: "org_2", data: { tier: "pro" } } } }, two);
  assert.deepEqual(of(await listed("organization:org_1"), wf).channels, { email: false, inApp: true });
  assert.deepEqual(of(await listed("organization:org_2"), wf).channels, { email: true, inApp: false });
  assert.deepEqual(of(await listed("organization:org_3"), wf).channels, { email: true, inApp: true });
  assert.deepEqual(of(await listed("organization:org_1"), other).channels, { email: true, inApp: true }, "every workflow is listed in every context");
  await prefs.update({ channels: { email: false, inApp: false }, context: { tenant: "globex" } }, two);
  await prefs.update({ workflowId: wf.id, channels: { email: true }, context: { tenant: "acme" } }, two);
  const acme = await listed("tenant:acme"), globex = await listed("tenant:globex");
  assert.deepEqual([of(acme, wf).channels.email, acme.global.channels.email], [true, true]);
  assert.deepEqual([of(globex, wf).channels.email, globex.global.channels.email], [false, false]);
  const { result: bulk } = await prefs.bulkUpdate({ context: { tenant: "initech" }, preferences: [{ workflowId: wf.id, channels: { email: false, inApp: true } }] }, two);
  assert.equal(bulk[0].channels.email, false);
  assert.equal(of(await listed("tenant:initech"), wf).channels.email, false);
});

test("v1 preferences: mistakes by name, every channel at the global level, and what is no channel of the workflow", async () => {
  const subscriberId = await person(), wf = await workflow();
  const patch = (path, body) => server.call("PATCH", `/v1/subscribers/${subscriberId}/preferences${path}`, body);
  for (const [path, body, message] of [
    [`/${wf.id}`, { channel: "email", enabled: false }, /channel must be an object/],
    [`/${wf.id}`, { channel: { type: "email" }, enabled: 2 }, /must be a boolean value/],
    [`/${wf.id}`, { channel: { type: "email", enabled: "" } }, /channel\.enabled must be a boolean value/],
    ["", { preferences: [{ type: "email", enabled: "" }] }, /preferences\.0\.enabled must be a boolean value/],
    ["", { enabled: true, preferences: false }, /preferences must be an array/],
    ["", { enabled: "hello", preferences: [{ type: "email", enabled: true }] }, /enabled must be a boolean value/],
  ]) {
    const answer = await patch(path, body);
    assert.equal(answer.status, 422, answer.text);
    assert.match(answer.body.errors.general.messages.join(), message);
  }
  assert.equal((await patch("/63cc6e0b561e0a609f223e27", { channel: { type: "email", enabled: false } })).status, 404);
  const shown = async () => (await server.call("GET", `/v1/subscribers/${subscriberId}/preferences`)).body.data.find((p) => p.template._id === wf.id).preference;
  const steps = [[{ channels: {} }, true], [{ channel: { type: "email", enabled: false } }, false], [{ channel: { type: "email", enabled: true } }, true],
    [{ channel: { type: "sms", enabled: false } }, true]];
  for (const [body, email] of steps) {
    assert.equal((await patch(`/${wf.id}`, body)).status, 200);
    const { enabled, channels } = await shown();
    assert.deepEqual([enabled, channels], [true, { email, in_app: true }], JSON.stringify(body));
  }
  const all = { email: true, sms: true, chat: true, push: true, in_app: true };
  assert.deepEqual((await patch("", { enabled: true, preferences: [{ type: "email", enabled: true }] })).body.data.preference, { enabled: true, channels: all });
  const { body } = await patch("", { enabled: true, preferences: [{ type: "push", enabled: false }, { type: "in_app", enabled: false }, { type: "sms", enabled: true }] });
  assert.deepEqual(body.data.preference, { enabled: true, channels: { ...all, push: false, in_app: false } });
  assert.equal((await shown()).channels.in_app, false);
});

test("v1 feed, counts and marks: who is nobody, payloads by their parts, dates that stay", async () => {
  const subscriberId = await person(), wf = await workflow({ steps: [bell] });
  await fails(novu.subscribers.notifications.feed({ subscriberId: "nobody", limit: 5 }), 400, /^Subscriber not found for this environment with the id: nobody\. Make sure to create a subscriber before fetching the feed\.$/);
  const unseen = await server.call("GET", "/v1/subscribers/nobody/notifications/unseen?seen=false");
  assert.equal(unseen.status, 400);
  assert.match(unseen.body.message, /^Subscriber nobody is not exist in environment [0-9a-f]{24}/);
  const markAll = async (markAs, id = subscriberId) => (await novu.subscribers.messages.markAll({ markAs }, id)).result;
  await fails(markAll("read", "nobody"), 404, /^Subscriber nobody does not exist in environment [0-9a-f]{24}, please provide a valid subscriber identifier$/);
  for (const payload of [{}, { foo: 123, bar: "bar" }, { foo: { bar: 123 }, baz: "baz" }]) await novu.trigger({ workflowId: wf.identifier, to: { subscriberId }, payload });
  await messages({ subscriberId }, 3);
  const feed = async (payload) => (await novu.subscribers.notifications.feed({ subscriberId, limit: 5, payload: payload && Buffer.from(JSON.stringify(payload)).toString("base64") })).result;
  assert.equal((await feed()).pageSize, 5);
  assert.deepEqual((await feed({ foo: 123 })).data.map((m) => m.payload), [{ foo: 123, bar: "bar" }]);
  assert.deepEqual((await feed({ foo: { bar: 123 } })).data.map((m) => m.payload), [{ foo: { bar: 123 }, baz: "baz" }]);
  await fails(novu.subscribers.notifications.feed({ subscriberId, payload: "invalid" }), 400, /^Invalid payload, the JSON object should be encoded to base64 string\.$/);

  const states = async () => [...new Set((await messages({ subscriberId }, 3)).map((m) => `${m.seen} ${m.read}`))];
  for (const [markAs, changed, state] of [["seen", 3, "true false"], ["unseen", 3, "false false"], ["read", 3, "true true"], ["read", 0, "true true"], ["unread", 3, "true false"]]) {
    assert.equal(await markAll(markAs), changed, markAs);
    assert.deepEqual(await states(), [state], markAs);
  }
  const [{ id }] = await messages({ subscriberId }, 3);
  await novu.trigger({ workflowId: wf.identifier, to: { subscriberId }, transactionId: "fresh" });
  const fresh = (await messages({ transactionId: ["fresh"] }, 1))[0];
  assert.notEqual(fresh.id, id);
  for (const [markAs, seen, read, seenAt, readAt] of [["seen", true, false, true, false], ["unseen", false, false, true, false], ["read", true, true, true, true], ["unread", true, false, true, true]]) {
    await novu.subscribers.messages.markAllAs({ messageId: fresh.id, markAs }, subscriberId);
    const [m] = await messages({ transactionId: ["fresh"] }, 1);
    assert.deepEqual([m.seen, m.read, !!m.lastSeenDate, !!m.lastReadDate], [seen, read, seenAt, readAt], markAs);
  }
  for (const messageId of [undefined, []]) {
    const answer = await server.call("POST", `/v1/subscribers/${subscriberId}/messages/mark-as`, { messageId, markAs: "seen" });
    assert.deepEqual([answer.status, answer.body.message], [400, "messageId is required"]);
  }
});

test("v1 retrieve names the topics when asked", async () => {
  const subscriberId = await person();
  await server.call("POST", "/v1/topics/named/subscribers", { subscribers: [subscriberId] });
  assert.equal((await server.call("GET", `/v1/subscribers/${subscriberId}`)).body.data.topics, undefined);
  assert.deepEqual((await server.call("GET", `/v1/subscribers/${subscriberId}?includeTopics=true`)).body.data.topics, ["named"]);
});

test("somebody's messages from the server's side: every write answers what it made of them", async () => {
  const subscriberId = await person(), wf = await workflow({ steps: [bell] });
  const send = async () => {
    const { result } = await novu.trigger({ workflowId: wf.identifier, to: { subscriberId } });
    await messages({ transactionId: [result.transactionId] }, 1);
  };
  await send();
  const n = novu.subscribers.notifications;
  const list = async (more) => (await n.list({ subscriberId, limit: 10, ...more })).result;
  const first = await list();
  assert.deepEqual([typeof first.hasMore, typeof first.filter, first.data.length], ["boolean", "object", 1]);
  const notificationId = first.data[0].id, of = { subscriberId, notificationId };
  const snoozeUntil = new Date(Date.now() + 180_000);
  for (const [call, args, expected] of [
    ["markAsRead", {}, { isRead: true }], ["markAsUnread", {}, { isRead: false }], ["archive", {}, { isArchived: true }], ["unarchive", {}, { isArchived: false }],
    ["snooze", { snoozeSubscriberNotificationDto: { snoozeUntil } }, { isSnoozed: true, snoozedUntil: snoozeUntil.toISOString() }], ["unsnooze", {}, { isSnoozed: false }],
    ["completeAction", { actionType: "primary" }, { primary: true, secondary: false }], ["revertAction", { actionType: "primary" }, { primary: false, secondary: false }],
    ["completeAction", { actionType: "secondary" }, { primary: false, secondary: true }], ["revertAction", { actionType: "secondary" }, { primary: false, secondary: false }],
  ]) {
    const { result } = await n[call]({ ...of, ...args });
    const state = { ...result, primary: result.primaryAction.isCompleted, secondary: result.secondaryAction.isCompleted };
    for (const [key, value] of Object.entries(expected)) assert.equal(state[key], value, `${call} ${key}`);
    assert.match(result.createdAt, /^\d{4}-/);
  }
  await n.markAsSeen({ notificationIds: [notificationId] }, subscriberId);
  assert.equal((await list()).data[0].isSeen, true);
  await n.markAllAsRead({}, subscriberId);
  await n.archiveAllRead({}, subscriberId);
  assert.deepEqual((await list({ archived: true })).data.map((m) => [m.isRead, m.isArchived]), [[true, true]]);
  await send();
  await n.archiveAll({}, subscriberId);
  assert.ok((await list()).data.every((m) => m.isArchived));
  const { result: counts } = await n.count(subscriberId, JSON.stringify([{}, { archived: false }]));
  assert.deepEqual(counts.map((c) => c.count), [2, 0]);
  await n.delete(of);
  assert.ok(!(await list()).data.some((m) => m.id === notificationId));
  await n.deleteAll({}, subscriberId);
  assert.deepEqual((await list()).data, []);
  const bad = await server.call("PATCH", `/v2/subscribers/${subscriberId}/notifications/fake/read`);
  assert.deepEqual([bad.status, bad.body.errors.notificationId.messages], [422, ["notificationId must be a mongodb id"]]);
});

test("messages and runs, by channel, person, transaction, address, workflow and context", async () => {
  const a = await person({ email: "gg@ff.example" }), b = await person(), c = await person();
  const wf = await workflow(), only = await workflow({ steps: [mail] });
  const tx = ["1566f9d0-6037-48c1-b356-42667921cadd", "d2d9f9b5-4a96-403a-927f-1f8f40c6c7a9"];
  await novu.trigger({ workflowId: wf.identifier, to: [{ subscriberId: a }, { subscriberId: b, email: "john@doe.example" }], transactionId: tx[0] });
  await novu.trigger({ workflowId: only.identifier, to: { subscriberId: a }, transactionId: tx[1] });
  await messages({ transactionId: [tx[0]] }, 4);
  await messages({ transactionId: tx }, 5);
  await messages({ subscriberId: b }, 2);
  await messages({ subscriberId: a, channel: "email" }, 2);
  for (const teamId of ["team-alpha", "team-beta"]) await novu.trigger({ workflowId: wf.identifier, to: { subscriberId: c }, context: { teamId } });
  await messages({ subscriberId: c, channel: "in_app" }, 2);
  for (const teamId of ["team-alpha", "team-beta"]) await messages({ subscriberId: c, channel: "in_app", contextKeys: [`teamId:${teamId}`] }, 1);
  await messages({ subscriberId: c, contextKeys: ["teamId:none"] }, 0);

  const runs = async (more) => (await novu.notifications.list({ page: 0, ...more })).result.data;
  assert.deepEqual((await runs({ emails: ["john@doe.example"] })).map((r) => r.subscriber.subscriberId), [b]);
  assert.deepEqual((await runs({ subscriberIds: [a], channels: ["in_app"] })).map((r) => r.template.id), [wf.id]);
  assert.deepEqual((await runs({ templates: [only.id] })).map((r) => [r.template.name, r.channels]), [[only.name, ["email"]]]);
  const [run, ...rest] = await runs({ contextKeys: ["teamId:team-alpha"] });
  assert.deepEqual([run.contextKeys, run.subscriber.subscriberId, rest], [["teamId:team-alpha"], c, []]);
  assert.deepEqual(await runs({ transactionId: "sms" }), []);
  const by = async (query) => (await server.call("GET", `/v1/notifications?${query}`)).body.data.map((r) => r.transactionId).toSorted();
  for (const [query, expected] of [
    ["search=DOE.exam", [tx[0]]], [`search=${b}`, [tx[0]]], ["search=%25doe", []], [`search=${b.slice(0, -1)}`, []], ["emails=doe.example", []], ["emails=john@doe.example&emails=nobody@x.example", [tx[0]]],
    [`emails=gg@ff.example&subscriberIds=${b}`, [tx[0], tx[0], tx[1]]], ["emails=nobody@x.example", []], [`emails=nobody@x.example&transactionId=${tx[0]}`, []],
    [`transactionId=${tx[0]}&transactionId=${tx[1]}`, [tx[0], tx[0], tx[1]]], [`transactionId[]=${tx[1]}&transactionId[]=none`, [tx[1]]],
    [`transactionId=${tx[0]}&transactionId=${tx[1]}&templates=${only.id}`, [tx[1]]], [`contextKeys=&subscriberIds=${a}`, [tx[0], tx[1]]], [`contextKeys=teamId:none&subscriberIds=${c}`, []],
  ])
    assert.deepEqual(await by(query), expected.toSorted(), query);

  // Through a topic, and through one of its subscriptions.
  const { result: joined } = await novu.topics.subscriptions.create({ subscriptions: [{ subscriberId: a, identifier: "in_one:a\"b" }, { subscriberId: b, identifier: "in_one:b" }] }, "run_topic");
  await novu.topics.subscriptions.create({ subscriptions: [b] }, "runXtopic");
  await novu.trigger({ workflowId: only.identifier, to: { type: "Topic", topicKey: "run_topic" }, transactionId: "by-topic" });
  await novu.trigger({ workflowId: only.identifier, to: { type: "Topic", topicKey: "runXtopic" }, transactionId: "by-other" });
  await messages({ transactionId: ["by-topic", "by-other"] }, 3);
  assert.deepEqual((await runs({ topicKey: "run_topic" })).map((r) => r.transactionId), ["by-topic", "by-topic"]);
  assert.deepEqual(await runs({ topicKey: "run" }), []);
  for (const [who, { id, identifier }] of joined.data.map((s) => [s.subscriber.subscriberId, s]))
    for (const subscriptionId of [id, identifier])
      assert.deepEqual((await runs({ subscriptionId })).map((r) => [r.transactionId, r.subscriber.subscriberId]), [["by-topic", who]], subscriptionId);

  const [message] = await messages({ transactionId: [tx[1]] }, 1);
  const missing = await server.call("DELETE", "/v1/messages/65f000000000000000000012");
  assert.deepEqual([missing.status, missing.body.error], [404, "Not Found"]);
  await novu.messages.delete(message.id);
  await messages({ transactionId: [tx[1]] }, 0);
  await novu.messages.deleteByTransactionId(tx[0], "email");
  assert.deepEqual((await messages({ transactionId: [tx[0]] }, 2)).map((m) => m.channel), ["in_app", "in_app"]);
});

test("a run that was done tells so in a fixed number of details, and one more when its message was read", async () => {
  const subscriberId = await person(), wf = await workflow({ steps: [bell] });
  const { result } = await novu.trigger({ workflowId: wf.identifier, to: { subscriberId } });
  const [message] = await messages({ transactionId: [result.transactionId] }, 1);
  const details = async () => {
    const [{ id }] = (await novu.notifications.list({ transactionId: result.transactionId })).result.data;
    const jobs = (await novu.notifications.retrieve(id)).result.jobs;
    return jobs.find((j) => j.type === "in_app").executionDetails.map((d) => d.detail);
  };
  const wanted = ["Step queued", "Message created", "Message sent"];
  await until(async () => (await details()).includes("Message sent"), "the message sent");
  const then = await details();
  for (const detail of wanted) assert.ok(then.includes(detail), `${detail}: ${then}`);
  assert.ok(!then.some((d) => /message read/i.test(d)));
  await novu.subscribers.notifications.markAsRead({ subscriberId, notificationId: message.id });
  const now = await details();
  assert.equal(now.length, then.length + 1);
  assert.ok(now.some((d) => d === "Message read" || d === "Message Read"), String(now));
});

test("the feed of runs keeps those whose workflow and subscriber are gone", async () => {
  const subscriberId = await person(), wf = await workflow();
  const { result } = await novu.trigger({ workflowId: wf.identifier, to: { subscriberId } });
  await messages({ transactionId: [result.transactionId] }, 2);
  await novu.workflows.delete(wf.identifier);
  const [run] = (await novu.notifications.list({ transactionId: result.transactionId })).result.data;
  assert.ok(run.channels.includes("in_app"));
});

test("feeds of the older centre have names of their own", async () => {
  const made_ = await server.call("POST", "/v1/feeds", { name: "identifier_123" });
  assert.equal(made_.status, 201);
  assert.equal(made_.body.data._environmentId, server.dev.id ?? made_.body.data._environmentId);
  const again = await server.call("POST", "/v1/feeds", { name: "identifier_123" });
  assert.deepEqual([again.status, again.body.message], [409, "Feed with identifier: identifier_123 already exists"]);
  assert.deepEqual((await server.call("GET", "/v1/feeds")).body.data.map((f) => f.name), ["identifier_123"]);
  assert.deepEqual((await server.call("DELETE", `/v1/feeds/${made_.body.data._id}`)).body.data, []);
});
