// Facts that upstream's own end-to-end tests of topics, their subscriptions and the older centre assert, and that no other file
// here states: apps/api/src/app/{topics,topics-v1,topics-v2,widgets}/e2e in novuhq/novu, newest stored versions.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

const bell = { type: "in_app", name: "In", controlValues: { body: "b" } };
const mail = { type: "email", name: "Mail", controlValues: { subject: "s", body: "b" } };
let made = 0;
const workflow = async (more = {}) => {
  const workflowId = `wf-${made++}`;
  const { result } = await novu.workflows.create({ name: workflowId, workflowId, active: true, steps: [bell], ...more });
  return { id: result.id, identifier: workflowId };
};
let people = 0;
const person = async () => (await novu.subscribers.create({ subscriberId: `p-${people++}` })).result.subscriberId;
const fails = async (promise, status, message = /./) => {
  let error;
  await assert.rejects(promise, (e) => ((error = e), assert.equal(e.statusCode, status, e.message), assert.match(e.message, message), true));
  return error;
};
const subs = () => novu.topics.subscriptions;

test("a topic's data: kept, replaced by the next, flat and not too large", async () => {
  const post = (body) => server.call("POST", "/v2/topics", { key: "with-data", name: "With data", ...body });
  const first = await post({ data: { category: "product", priority: 1, tags: ["a", "b"] } });
  assert.deepEqual([first.status, first.body.data.data], [201, { category: "product", priority: 1, tags: ["a", "b"] }]);
  const next = await post({ name: "Updated", data: { category: "new", priority: 2 } });
  assert.deepEqual([next.body.data.name, next.body.data.data], ["Updated", { category: "new", priority: 2 }]);
  for (const [data, message] of [[{ nested: { not: "allowed" } }, /must be a string, number, boolean, or string\[\]/i], [{ big: "x".repeat(65 * 1024) }, /too large|Validation Error/i],
    [{ list: [1] }, /must be a string, number, boolean, or string\[\]/i], [{ none: null }, /./]]) {
    const answer = await post({ data });
    assert.equal(answer.status, 422, answer.text.slice(0, 200));
    assert.match(answer.text, message);
  }
  assert.deepEqual((await novu.topics.get("with-data")).result.data, { category: "new", priority: 2 });
});

test("topics: pages, filters, order, and what is not there is named", async () => {
  for (let i = 1; i <= 5; i++) await novu.topics.create({ key: `topic-key-${i}`, name: `topic-key-${i}-name` });
  const list = async (more) => (await novu.topics.list({ key: "topic-key", ...more })).result;
  const first = await list({ limit: 3 }), second = await list({ limit: 3, after: first.next });
  assert.deepEqual([first.data.length, typeof first.next, first.previous], [3, "string", null]);
  assert.deepEqual([second.data.length, second.next, typeof second.previous], [2, null, "string"]);
  assert.equal(new Set([...first.data, ...second.data].map((t) => t.id)).size, 5);
  assert.deepEqual((await list({ limit: 3, before: second.previous })).data, first.data);
  assert.deepEqual((await list({ key: "topic-key-2" })).data.map((t) => t.key), ["topic-key-2"]);
  assert.deepEqual((await list({ name: "topic-key-3-name" })).data.map((t) => t.name), ["topic-key-3-name"]);
  const keys = (await list({ orderBy: "key", orderDirection: "ASC" })).data.map((t) => t.key);
  assert.deepEqual(keys, keys.toSorted());
  const sorted = { limit: 2, orderBy: "key", orderDirection: "DESC" }, top = await list(sorted), below = await list({ ...sorted, after: top.next });
  assert.deepEqual([...top.data, ...below.data].map((t) => t.key), keys.toReversed().slice(0, 4));
  assert.deepEqual((await list({ ...sorted, before: below.previous })).data, top.data);
  for (const key of ["id", "key", "name", "createdAt", "updatedAt"]) assert.ok(first.data[0][key], key);
  for (const call of [() => novu.topics.get("non-existent"), () => novu.topics.update({ name: "x" }, "non-existent"), () => novu.topics.delete("non-existent"),
    () => subs().list({ topicKey: "non-existent" }), () => subs().delete({ subscriptions: ["x"] }, "non-existent")])
    await fails(call(), 404, /non-existent/);
  const { result: renamed } = await novu.topics.update({ name: "Renamed" }, "topic-key-1");
  assert.deepEqual([renamed.key, renamed.name, (await novu.topics.get("topic-key-1")).result.name], ["topic-key-1", "Renamed", "Renamed"]);
  assert.equal((await novu.topics.delete("topic-key-1")).result.acknowledged, true);
});

test("subscribing: part of it fails, again is fine, away again", async () => {
  const [a, b, c] = [await person(), await person(), await person()];
  const { result: topic } = await novu.topics.create({ key: "mixed", name: "Mixed" });
  const create = async (ids, more = {}) => (await subs().create({ subscriberIds: ids, ...more }, "mixed")).result;
  const first = await create([a, b]);
  assert.deepEqual([first.meta.successful, first.meta.failed, first.data.map((s) => [s.topic.id, s.topic.key, s.subscriber.subscriberId])], [2, 0, [[topic.id, "mixed", a], [topic.id, "mixed", b]]]);
  const partly = await create([a, "nobody"]);
  assert.deepEqual([partly.meta.successful, partly.meta.failed, partly.errors.map((e) => e.subscriberId)], [1, 1, ["nobody"]]);
  assert.equal(partly.data[0].id, first.data[0].id);
  const page = async (more) => (await subs().list({ topicKey: "mixed", limit: 2, ...more })).result;
  await create([c]);
  const one = await page({}), two = await page({ after: one.next });
  assert.deepEqual([one.data.length, typeof one.next, one.previous, two.data.length, two.next, typeof two.previous], [2, "string", null, 1, null, "string"]);
  assert.deepEqual((await page({ before: two.previous })).data.map((s) => s.id), one.data.map((s) => s.id));
  assert.deepEqual((await page({ subscriberId: a })).data.map((s) => s.subscriber.subscriberId), [a]);
  const gone = (await subs().delete({ subscriberIds: [a, "nobody"] }, "mixed")).result;
  assert.deepEqual([gone.data.length, gone.meta.successful, gone.meta.failed, gone.errors.map((e) => e.subscriberId)], [1, 1, 1, ["nobody"]]);
  assert.deepEqual((await page({ limit: 10 })).data.map((s) => s.subscriber.subscriberId).toSorted(), [b, c].toSorted());
  const none = (await subs().list({ topicKey: (await novu.topics.create({ key: "empty", name: "E" })).result.key })).result;
  assert.deepEqual([none.data, none.next, none.previous], [[], null, null]);
});

test("a subscription is found by its identifier, not by its id", async () => {
  const a = await person(), wf = await workflow();
  const { result } = await subs().create({ subscriberIds: [a], preferences: [{ filter: { workflowIds: [wf.identifier] }, enabled: false }] }, "found");
  const { id, identifier } = result.data[0];
  const get = (which) => server.call("GET", `/v2/topics/found/subscriptions/${encodeURIComponent(which)}`);
  const { status, body } = await get(identifier);
  assert.deepEqual([status, body.data.identifier, body.data.preferences.map((p) => p.enabled)], [200, identifier, [false]]);
  for (const which of [id, "does-not-exist"]) assert.equal((await get(which)).status, 204, which);
});

test("ten subscriptions of a person to a topic; the eleventh is refused by name, and is not made", async () => {
  const a = await person(), wf = await workflow();
  const make = (i) => subs().create({ subscriptions: [{ identifier: `${a}-subscription-${i}`, subscriberId: a }],
    preferences: [{ filter: { workflowIds: [wf.id] }, condition: { and: [{ "==": [{ var: "payload.status" }, `s-${i}`] }] }, enabled: true }] }, "limited");
  for (let i = 0; i < 10; i++) assert.deepEqual([(await make(i)).result.meta.successful, i], [1, i]);
  const error = await fails(make(10), 400);
  const { meta, errors } = error.ctx ?? error.data$?.ctx ?? JSON.parse(error.body).ctx;
  assert.deepEqual([meta.successful, meta.failed, errors.map((e) => [e.code, e.subscriberId])], [0, 1, [["SUBSCRIPTION_LIMIT_EXCEEDED", a]]]);
  assert.ok(errors[0].message.includes(`Subscriber ${a} has reached the maximum allowed of 10 subscriptions for topic "limited"`), errors[0].message);
  assert.equal((await subs().list({ topicKey: "limited", limit: 100 })).result.data.length, 10);
  assert.equal((await make(3)).result.meta.successful, 1, "one that is there is no further one");
});

test("a subscription's preferences are replaced; what an update does not name stays", async () => {
  const a = await person();
  const one = await workflow({ tags: ["t-one", "t-important"] }), two = await workflow({ tags: ["t-two"] }), three = await workflow({ tags: ["t-three"] });
  const { result } = await subs().create({ subscriberIds: [a], preferences: [{ filter: { workflowIds: [one.identifier], tags: ["t-one"] }, enabled: true }] }, "updated");
  const { identifier } = result.data[0];
  const update = async (updateTopicSubscriptionRequestDto) => (await subs().update({ topicKey: "updated", identifier, updateTopicSubscriptionRequestDto })).result;
  const shown = (s) => s.preferences.map((p) => [p.workflow.identifier, p.enabled]).toSorted();
  const condition = { and: [{ "==": [{ var: "priority" }, "high"] }, { ">": [{ var: "amount" }, 100] }] };
  assert.deepEqual(shown(await update({ preferences: [{ filter: { workflowIds: [two.identifier], tags: ["t-two"] }, condition, enabled: true }, { filter: { tags: ["t-three"] }, enabled: false }] })),
    [[two.identifier, true], [three.identifier, false]]);
  const kept = await update({});
  assert.deepEqual([kept.identifier, shown(kept)], [identifier, [[two.identifier, true], [three.identifier, false]]]);
  const named = await update({ name: "Updated Subscription Name" });
  assert.deepEqual([named.name, shown(named).length], ["Updated Subscription Name", 2]);
  for (const [topicKey, which] of [["updated", "non-existent"], ["non-existent", identifier]])
    await fails(subs().update({ topicKey, identifier: which, updateTopicSubscriptionRequestDto: { preferences: [{ filter: { workflowIds: [one.identifier] }, enabled: true }] } }), 404);
});

test("contexts: identifiers of their own, found without them, listed by exactly them, kept by updates", async () => {
  const a = await person(), b = await person(), wf = await workflow();
  const create = async (id, context, more = {}) => (await subs().create({ ...(more.identifier ? { subscriptions: [{ subscriberId: id, identifier: more.identifier }] } : { subscriberIds: [id] }), context }, "contextual")).result.data[0];
  const both = await create(a, { tenant: "org-123", project: "proj-456" }), org = await create(a, { tenant: "org-a" }), plain = await create(b), custom = await create(b, { tenant: "org-abc" }, { identifier: "custom-sub" });
  assert.deepEqual([both.contextKeys, org.contextKeys, plain.contextKeys ?? [], custom.contextKeys], [["project:proj-456", "tenant:org-123"], ["tenant:org-a"], [], ["tenant:org-abc"]]);
  assert.ok(both.identifier.endsWith(":ctx_project:proj-456,tenant:org-123") && !plain.identifier.includes(":ctx_"));
  assert.equal(custom.identifier, "custom-sub");
  for (const s of [both, org, plain, custom]) {
    const found = (await subs().getSubscription("contextual", s.identifier)).result;
    assert.deepEqual([found.identifier, found.contextKeys], [s.identifier, s.contextKeys ?? []]);
    const changed = (await subs().update({ topicKey: "contextual", identifier: s.identifier, updateTopicSubscriptionRequestDto: { name: "N", preferences: [{ filter: { workflowIds: [wf.id] }, enabled: false }] } })).result;
    assert.deepEqual([changed.identifier, changed.contextKeys ?? [], changed.preferences.map((p) => p.enabled)], [s.identifier, s.contextKeys ?? [], [false]]);
  }
  const list = async (contextKeys) => (await subs().list({ topicKey: "contextual", contextKeys })).result.data.map((s) => s.id).toSorted();
  const ids = (...s) => s.map((x) => x.id).toSorted();
  for (const [keys, expected] of [[undefined, [both, org, plain, custom]], [["tenant:org-a"], [org]], [["tenant:org-123"], []], [["tenant:org-123", "project:proj-456"], [both]],
    [["project:proj-456", "tenant:org-123"], [both]], [["tenant:none"], []]])
    assert.deepEqual(await list(keys), ids(...expected), JSON.stringify(keys));
});

test("v1 topics: what is missing is named, members are joined once and leave one topic only", async () => {
  const env = server.dev.id ?? (await server.call("GET", "/v1/environments/me")).body.data._id;
  const [a, b, c] = [await person(), await person(), await person()];
  const call = (method, path, body) => server.call(method, `/v1/topics${path}`, body);
  const said = ({ body }) => body.errors?.general?.messages ?? body.message;
  const topic = (await call("POST", "", { key: "v1-one", name: "One" })).body.data;
  assert.deepEqual(Object.keys(topic).filter((k) => ["_id", "key"].includes(k)).toSorted(), ["_id", "key"]);
  for (const [method, path, body, status, message] of [
    ["POST", "", {}, 422, ["key should not be null or undefined", "key must be a string", "name should not be null or undefined", "name must be a string"]],
    ["POST", "/v1-one/subscribers", {}, 422, ["subscribers should not be null or undefined", "subscribers must be an array"]],
    ["POST", "/v1-one/subscribers/removal", {}, 422, ["subscribers should not be null or undefined", "subscribers must be an array"]],
    ["PATCH", "/v1-one", {}, 422, ["name should not be null or undefined", "name must be a string"]],
    ["PATCH", "/nope", { name: "x" }, 404, `Topic not found for id nope in the environment ${env}`],
    ["DELETE", "/nope", undefined, 404, `Topic not found for id nope in the environment ${env}`],
    ["GET", "/nope", undefined, 404, `Topic not found for id nope in the environment ${env}`],
    ["GET", "/v1-one/subscribers/nobody", undefined, 404, `Subscriber nobody not found for topic v1-one in the environment ${env}`],
    ["GET", `/nope/subscribers/${a}`, undefined, 404, `Subscriber ${a} not found for topic nope in the environment ${env}`],
    ["GET", "?page=1&pageSize=101", undefined, 400, "Page size can not be larger then 10"],
    ["GET", "?page=-1", undefined, 422, ["page must not be less than 0"]],
    ["GET", "?page=1.5&pageSize=1.5", undefined, 422, ["page must be an integer number", "pageSize must be an integer number"]],
  ]) {
    const answer = await call(method, path, body);
    assert.deepEqual([answer.status, said(answer)], [status, message], `${method} ${path}`);
  }
  const conflict = await call("POST", "", { key: "v1-one", name: "One" });
  assert.equal(conflict.status, 409);
  assert.match(conflict.body.message, new RegExp(`^Topic exists with key v1-one in the environment ${env} of the organization [0-9a-f]{24}$`));
  const join = async (key, ...subscribers) => (await call("POST", `/${key}/subscribers`, { subscribers })).body.data;
  const members = async (key) => (await call("GET", `/${key}`)).body.data.subscribers.toSorted();
  assert.deepEqual(await join("v1-one", a), { succeeded: [a] });
  assert.deepEqual(await join("v1-one", "made-up"), { succeeded: [], failed: { notFound: ["made-up"] } });
  assert.deepEqual(await join("v1-one", a), { succeeded: [a] });
  assert.deepEqual(await join("v1-one", b, c), { succeeded: [b, c] });
  assert.deepEqual(await members("v1-one"), [a, b, c].toSorted());
  for (const [key, who, then] of [["v1-auto", a, [a]], ["v1-auto-nobody", "made-up", []]]) {
    await join(key, who);
    const { body } = await call("GET", `/${key}`);
    assert.deepEqual([body.data.name, body.data.subscribers, body.data._environmentId], [`Autogenerated-${key}`, then, env]);
  }
  const member = (await call("GET", `/v1-one/subscribers/${a}`)).body.data;
  assert.deepEqual([member._topicId, member.topicKey, member.externalSubscriberId, member._environmentId], [topic._id, "v1-one", a, env]);
  const renamed = (await call("PATCH", "/v1-one", { name: "Renamed" })).body.data;
  assert.deepEqual([renamed.name, renamed.subscribers.toSorted(), renamed._environmentId], ["Renamed", [a, b, c].toSorted(), env]);
  await join("v1-two", a, b);
  for (let i = 0; i < 2; i++) {
    const answer = await call("POST", "/v1-one/subscribers/removal", { subscribers: [a, "made-up"] });
    assert.deepEqual([answer.status, answer.text], [204, ""]);
  }
  assert.deepEqual([await members("v1-one"), await members("v1-two")], [[b, c].toSorted(), [a, b].toSorted()]);
  const deleted = await call("DELETE", "/v1-two");
  assert.deepEqual([deleted.status, deleted.body.message], [409, `Topic with key v1-two in the environment ${env} can't be deleted as it still has subscribers assigned`]);
  await call("POST", "/v1-two/subscribers/removal", { subscribers: [a, b] });
  assert.equal((await call("DELETE", "/v1-two")).status, 204);
});

async function widget() {
  const subscriberId = `w-${people++}`;
  const { status, body } = await server.call("POST", "/v1/widgets/session/initialize",
    { applicationIdentifier: server.dev.applicationIdentifier, subscriberId, firstName: "Test", lastName: "User", email: "test@example.com", phone: "054777777" }, { key: null });
  assert.equal(status, 201);
  const ask = (method, path, data) => server.call(method, `/v1/widgets${path}`, data, { key: null, headers: { Authorization: `Bearer ${body.data.token}` } });
  const count = async (query = "") => (await ask("GET", `/notifications/count${query}`)).body.data.count;
  const receive = async ({ identifier }, n, payload = {}) => {
    const before = (await ask("GET", "/notifications/feed?limit=100")).body.data.length;
    for (let i = 0; i < n; i++) await novu.trigger({ workflowId: identifier, to: { subscriberId }, payload });
    await until(async () => (await ask("GET", "/notifications/feed?limit=100")).body.data.length === before + n, "the messages");
  };
  return { subscriberId, profile: body.data.profile, ask, count, receive };
}

test("the older centre's session: a profile, and a hash where it is asked for", async () => {
  const { profile } = await widget();
  assert.match(profile._id, /^[0-9a-f]{24}$/);
  assert.deepEqual([profile.firstName, profile.lastName, profile.phone], ["Test", "User", "054777777"]);
  const open = (body) => server.call("POST", "/v1/widgets/session/initialize", { applicationIdentifier: server.prod.applicationIdentifier, subscriberId: "12345", ...body }, { key: null });
  const sign = (key, id) => createHmac("sha256", key).update(id).digest("hex");
  const hmacHash = sign(server.prod.secretKey, "12345");
  assert.equal((await open({ hmacHash })).status, 201);
  for (const body of [{ hmacHash, subscriberId: "other" }, { hmacHash: sign("invalid", "12345") }]) {
    const answer = await open(body);
    assert.deepEqual([answer.status, answer.body.data], [400, undefined]);
    assert.match(answer.body.message, /Please provide a valid HMAC hash/);
  }
  assert.match((await open({ applicationIdentifier: "none" })).body.message, /Please provide a valid app identifier/);
});

test("the older centre's counts: capped, limited, with a default for what is no number", async () => {
  const me = await widget(), wf = await workflow();
  await me.receive(wf, 3);
  for (const [query, expected] of [["", 3], ["?seen=false&limit=1", 1], ["?seen=false&limit=2", 2], ["?seen=false&limit=4", 3], ["?seen=false&limit=100", 3], ["?seen=false&limit=what%20what", 3], ["?seen=true", 0], ["?read=false", 3]])
    assert.equal(await me.count(query), expected, query);
  for (const [limit, message] of [["0", /limit must not be less than 1/], ["101", /limit must not be greater than 100/]]) {
    const answer = await me.ask("GET", `/notifications/count?seen=false&limit=${limit}`);
    assert.ok(answer.status >= 400 && answer.status < 500, limit);
    assert.match(answer.text, message);
  }
  const feed = (await me.ask("GET", "/notifications/feed")).body;
  assert.ok(feed.data.every((m) => m.subscriber.subscriberId === me.subscriberId));
  const messageId = feed.data[0]._id;
  for (const [mark, counts] of [[{ seen: true }, { "?seen=false": 2, "?seen=true": 1, "?read=false": 3 }], [{ seen: true, read: true }, { "?seen=false": 2, "?read=true": 1, "?read=false": 2 }]]) {
    await me.ask("POST", "/messages/markAs", { messageId, mark });
    for (const [query, expected] of Object.entries(counts)) assert.equal(await me.count(query), expected, `${JSON.stringify(mark)} ${query}`);
  }
  assert.equal((await me.ask("GET", "/notifications/unseen")).body.data.count, 2);
  assert.equal((await me.ask("GET", "/notifications/unseen?seen=true")).body.data.count, 1);
  assert.equal((await me.ask("GET", "/notifications/unread")).body.data.count, 2);
  assert.equal((await me.ask("GET", "/notifications/unread?read=true")).body.data.count, 1);
  for (const n of [60, 40]) await novu.triggerBulk({ events: Array.from({ length: n }, () => ({ workflowId: wf.identifier, to: { subscriberId: me.subscriberId } })) });
  await until(async () => (await me.count("?seen=false")) === 100 && (await me.ask("GET", "/notifications/feed?page=10")).body.data.length === 3, "103 messages");
  const full = (await me.ask("GET", "/notifications/feed?page=0")).body;
  assert.deepEqual([full.data.length, full.totalCount, full.hasMore], [10, 10, true]);
});

test("the older centre's marks and deletions", async () => {
  const me = await widget(), wf = await workflow();
  await me.receive(wf, 4, { foo: { bar: 123 }, baz: "baz" });
  const feed = async (query = "") => (await me.ask("GET", `/notifications/feed?page=0${query}`)).body.data;
  const [first, ...others] = await feed();
  assert.deepEqual((await feed(`&payload=${Buffer.from('{"foo":{"bar":123}}').toString("base64")}`)).length, 4);
  assert.deepEqual(await feed(`&payload=${Buffer.from('{"foo":{"bar":124}}').toString("base64")}`), []);
  const invalid = await me.ask("GET", "/notifications/feed?payload=invalid");
  assert.deepEqual([invalid.status, invalid.body.message], [400, "Invalid payload, the JSON object should be encoded to base64 string."]);
  for (const [markAs, seen, read, seenAt, readAt] of [["seen", true, false, true, false], ["unseen", false, false, true, false], ["read", true, true, true, true], ["unread", true, false, true, true]]) {
    const { body } = await me.ask("POST", "/messages/mark-as", { messageId: first._id, markAs });
    assert.deepEqual(body.data.map((m) => m._id), [first._id]);
    const m = (await feed()).find((x) => x._id === first._id);
    assert.deepEqual([m.seen, m.read, !!m.lastSeenDate, !!m.lastReadDate], [seen, read, seenAt, readAt], markAs);
  }
  for (const messageId of [undefined, []]) {
    const answer = await me.ask("POST", "/messages/mark-as", { messageId, markAs: "seen" });
    assert.deepEqual([answer.status, answer.body.message], [400, "messageId is required"]);
  }
  await me.ask("POST", "/messages/seen", {});
  assert.equal(await me.count("?seen=false"), 0);
  await me.ask("POST", "/messages/read", {});
  assert.equal(await me.count("?read=false"), 0);
  const bulk = (body) => me.ask("POST", "/messages/bulk/delete", body);
  const nowhere = "65f000000000000000000012";
  assert.match((await bulk({})).text, /messageIds should not be empty/);
  assert.equal((await bulk({ messageIds: Array(100).fill(nowhere) })).status, 200);
  assert.match((await bulk({ messageIds: Array(101).fill(nowhere) })).text, /messageIds must contain no more than 100 elements/);
  await bulk({ messageIds: others.slice(0, 2).map((m) => m._id) });
  assert.deepEqual((await feed()).map((m) => m._id), [first._id, others[2]._id]);
  assert.equal((await me.ask("DELETE", "/messages")).status, 204);
  assert.deepEqual(await feed(), []);
});

test("the older centre's preferences say who decided", async () => {
  const me = await widget();
  const plain = await workflow({ steps: [bell, mail], tags: ["test-tag"] });
  const made_ = await server.call("POST", "/v2/workflows", { name: "off", workflowId: "off", active: true, steps: [bell, mail],
    preferences: { user: { all: { enabled: true, readOnly: false }, channels: { in_app: { enabled: false } } } } });
  const off = { id: made_.body.data._id };
  const shown = async (w) => (await me.ask("GET", "/preferences")).body.data.find((p) => p.template._id === w.id);
  const by = (p) => Object.fromEntries(p.preference.overrides.map((o) => [o.channel, o.source]));
  const first = await shown(plain);
  assert.deepEqual([first.template.tags, first.template.critical, first.template.triggers[0].identifier], [["test-tag"], false, plain.identifier]);
  assert.deepEqual([first.preference.channels, by(first)], [{ email: true, in_app: true }, { email: "template", in_app: "template" }]);
  const second = await shown(off);
  assert.deepEqual([second.preference.channels, by(second)], [{ email: true, in_app: false }, { email: "template", in_app: "template" }]);
  const { body } = await me.ask("PATCH", `/preferences/${off.id}`, { channel: { type: "email", enabled: false } });
  assert.deepEqual([body.data.preference.enabled, body.data.preference.channels], [true, { email: false, in_app: false }]);
  assert.deepEqual(by(await shown(off)), { email: "subscriber", in_app: "template" });
  await me.ask("PATCH", `/preferences/${off.id}`, { channel: { type: "in_app", enabled: true } });
  assert.deepEqual((await shown(off)).preference.channels, { email: false, in_app: true });
  assert.ok((await me.ask("PATCH", `/preferences/${plain.id}`, { channel: {} })).status >= 400);
});
