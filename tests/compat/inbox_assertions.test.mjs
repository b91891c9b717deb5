// The forty assertions at the end of inbox-realtime.md, through @novu/js 3.19.2.
//
//   1 to 35, 39   here; the number begins the test's name
//   25            also inbox_snooze.test.mjs (over a restart, by hand, limits)
//   31 to 34      also inbox_preferences.test.mjs
//   35            also inbox_subscriptions.test.mjs
//   36, 37, 40    realtime/novu.test.mjs, by the same numbers; 37 also inbox_model.test.mjs at random
//   38            realtime/novu.test.mjs (transports, token in auth, return after a restart);
//                 heartbeats: realtime/realtime.test.mjs "lives on through heartbeats, and ends without them", in quicker time
//   39            realtime/novu.test.mjs has the contexts
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect as dial, createServer } from "node:net";
import { Novu } from "@novu/js";
import { Carillon, until } from "./carillon.mjs";
import { api, inbox, listen } from "./clients.mjs";

const received = "notifications.notification_received";
const unread = "notifications.unread_count_changed";
const HOUR = 3600_000;
const NOWHERE = "65f000000000000000000012";

let server, novu;
const open = [];
const connect = (subscriber, more) => {
  const client = inbox(server, subscriber, more);
  open.push(client);
  return client;
};
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
  const button = (n) => ({ label: n, redirect: { url: `https://shop.example/${n}`, target: "_blank" } });
  const bell = { type: "in_app", name: "In", controlValues: { subject: "S {{payload.n}}", body: "B {{payload.n}}",
    redirect: { url: "/orders/{{payload.n}}", target: "_self" }, data: { k: "{{payload.k}}", list: "{{payload.list}}", n: "{{payload.n}}" } } };
  const both = { ...bell, controlValues: { ...bell.controlValues, primaryAction: button("one"), secondaryAction: button("two") } };
  const make = async (workflowId, tags, more = {}) => {
    const answer = await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, tags, steps: [both], ...more });
    assert.equal(answer.status, 201, answer.text);
  };
  await make("a", ["a"]);
  await make("ab", ["a", "b"], { severity: "high" });
  await make("b", ["b"], { severity: "medium", steps: [bell, { type: "email", name: "Mail", controlValues: { subject: "s", body: "b" } }] });
  await make("critical", ["c"], { preferences: { user: { all: { enabled: true, readOnly: true }, channels: {} } } });
});
after(async () => {
  for (const client of open) await client.socket.disconnect();
  await server?.stop();
});

const ok = ({ data, error }) => {
  assert.equal(error, undefined, error?.originalError?.message ?? error?.message);
  return data;
};
const fails = ({ error }, status, message = /./) => {
  assert.equal(error?.originalError?.status, status, JSON.stringify(error?.originalError?.body));
  const { body } = error.originalError;
  assert.match([body.message, ...(body.errors?.general?.messages ?? [])].join("; "), message);
  return true;
};
/** What the first session of a client came to. */
const session = (options) =>
  new Promise((resolve) => {
    const client = new Novu({ apiUrl: server.url, socketUrl: server.url, ...options });
    client.on("session.initialize.resolved", ({ data, error }) => resolve({ data, error: error && { originalError: error } }));
    open.push(client);
  });
const mine = (subscriberId, more) => session({ applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId }, ...more });
const list = async (client, more) => ok(await client.notifications.list({ useCache: false, ...more }));
const ids = async (client, more) => (await list(client, more)).notifications.map((n) => n.transactionId);
const now = async () => Date.parse((await server.call("GET", "/v1/testing/clock")).body.data.now);
const move = async (advance) => assert.equal((await server.call("POST", "/v1/testing/clock", { advance })).status, 200);

let triggered = 0;
/** One message each, oldest first; they are there when this returns. */
async function send(client, to, workflows, payload = {}) {
  const made = [];
  for (const workflowId of workflows) {
    const transactionId = `${to}-${triggered++}`;
    await novu.trigger({ workflowId, to, transactionId, payload: { n: triggered, ...payload } });
    made.push(transactionId);
  }
  await until(async () => {
    const there = await ids(client, { limit: 100 });
    return made.every((id) => there.includes(id));
  }, "the messages");
  return made;
}
async function one(client, to, workflow = "a", payload = {}) {
  const [transactionId] = await send(client, to, [workflow], payload);
  return (await list(client, { limit: 100 })).notifications.find((n) => n.transactionId === transactionId);
}
const sign = (text, environment = server.prod) => createHmac("sha256", environment.secretKey).update(text).digest("hex");
const secured = (more) => session({ applicationIdentifier: server.prod.applicationIdentifier, subscriber: { subscriberId: "h" }, ...more });

test("1: what a session answers", async () => {
  const data = ok(await mine("a1"));
  assert.equal(typeof data.token, "string");
  assert.deepEqual(data.unreadCount, { total: 0, severity: { high: 0, medium: 0, low: 0, none: 0 } });
  assert.ok(data.maxSnoozeDurationHours > 0);
  assert.deepEqual(data.contextKeys, []);
});

test("2: an unknown identifier", async () => {
  fails(await session({ applicationIdentifier: "unknown", subscriber: "x" }), 400, /Please provide a valid application identifier$/);
});

test("3: a subscriber without identifier", async () => {
  fails(await session({ subscriber: { subscriberId: "x" } }), 422, /A valid application identifier is required when providing subscriber information/);
});

test("4: with hmac on, the hash of the subscriber", async () => {
  fails(await secured(), 400, /Please provide a valid HMAC hash/);
  fails(await secured({ subscriberHash: sign("other") }), 400, /Please provide a valid HMAC hash/);
  ok(await secured({ subscriberHash: sign("h") }));
  ok(await secured({ subscriberHash: sign("h").toUpperCase() }));
});

test("5: with hmac on, the hash of the context", async () => {
  const context = { tenant: "acme", region: { id: "eu", data: { z: [1, "ü"], a: null } } };
  const canonical = '{"region":{"data":{"a":null,"z":[1,"ü"]},"id":"eu"},"tenant":"acme"}';
  const subscriberHash = sign("h");
  for (const contextHash of [undefined, sign("{}"), sign(JSON.stringify(context))])
    fails(await secured({ subscriberHash, context, contextHash }), 400, /Please provide a valid context HMAC hash/);
  const data = ok(await secured({ subscriberHash, context, contextHash: sign(canonical) }));
  assert.deepEqual(data.contextKeys.toSorted(), ["region:eu", "tenant:acme"]);
});

test("6: who has no hash changes no profile", async () => {
  const name = async () => (await novu.subscribers.retrieve("a6")).result.firstName;
  const as = (firstName, more) => mine(undefined, { subscriber: { subscriberId: "a6", firstName }, ...more });
  ok(await as("First"));
  ok(await as("Second"));
  assert.equal(await name(), "First");
  ok(await as("Second", { subscriberHash: sign("other", server.dev) }));
  assert.equal(await name(), "First");
  ok(await as("Second", { subscriberHash: sign("a6", server.dev) }));
  assert.equal(await name(), "Second");
});

test("7: the claims of the token", async () => {
  const { token } = ok(await mine("a7", { context: { tenant: "acme" } }));
  const [header, claims] = token.split(".").slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
  assert.deepEqual(header, { alg: "HS256", typ: "JWT" });
  assert.equal(claims.aud, "widget_user");
  assert.equal(claims.iss, "novu_api");
  assert.equal(claims.exp - claims.iat, 1296000);
  assert.deepEqual(claims.contextKeys, ["tenant:acme"]);
  assert.match(claims._id, /^[0-9a-f]{24}$/);
  assert.equal(claims.subscriberId, "a7");
});

test("8: a token that was tampered with", async () => {
  const { token } = ok(await mine("a8"));
  const [header, claims, signature] = token.split(".");
  const forged = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, "base64url")), subscriberId: "a1" })).toString("base64url");
  const unsigned = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
  for (const bad of [`${header}.${forged}.${signature}`, `${unsigned}.${claims}.`, `${header}.${claims}.${signature.slice(0, -2)}AA`, "x", ""])
    for (const [method, path] of [["GET", "/v1/inbox/notifications"], ["POST", "/v1/inbox/notifications/read"], ["GET", "/v1/widgets/notifications/feed"]]) {
      const answer = await server.call(method, path, undefined, { key: null, headers: { Authorization: `Bearer ${bad}`, Origin: "https://shop.example" } });
      assert.equal(answer.status, 401, `${method} ${path} ${bad}`);
      assert.equal(answer.headers.get("access-control-allow-origin"), "*");
      assert.equal(answer.headers.get("cache-control"), "no-store");
      assert.equal(answer.body.message, "Unauthorized");
      assert.equal(answer.body.statusCode, 401);
    }
});

test("9: preflights", async () => {
  for (const path of ["/v1/inbox/notifications", "/v1/inbox/session", "/v1/inbox/unknown", "/v1/widgets/session/initialize", "/socket.io/"]) {
    const wanted = "authorization,novu-client-version,novu-api-version,content-type,novu-application-identifier";
    const answer = await fetch(server.url + path, { method: "OPTIONS", headers: { Origin: "https://shop.example",
      "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": wanted } });
    assert.equal(answer.status, 204, path);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.equal(answer.headers.get("access-control-allow-credentials"), null);
    const allowed = answer.headers.get("access-control-allow-headers").toLowerCase().split(/, */);
    for (const header of wanted.split(",")) assert.ok(allowed.includes(header), `${path}: ${header}`);
    assert.equal(answer.headers.get("access-control-max-age"), "86400");
  }
});

test("10: newest first, and whether there is more", async () => {
  const client = connect("a10");
  const made = await send(client, "a10", Array(11).fill("a"));
  const page = await list(client, { limit: 10 });
  assert.deepEqual(page.notifications.map((n) => n.transactionId), made.toReversed().slice(0, 10));
  assert.equal(page.hasMore, true);
  assert.equal((await list(client, { limit: 11 })).hasMore, false);
});

test("11: pages have no gap and no repetition while messages arrive", async () => {
  const client = connect("a11");
  const made = await send(client, "a11", Array(9).fill("a"));
  const seen = [];
  for (let after; ; ) {
    const page = await list(client, { limit: 2, after });
    seen.push(...page.notifications.map((n) => n.transactionId));
    if (!page.hasMore) break;
    after = page.notifications.at(-1).id;
    await send(client, "a11", ["a"]);
  }
  assert.deepEqual(seen, made.toReversed());
});

test("12: bad cursors and limits", async () => {
  const client = connect("a12");
  fails(await client.notifications.list({ after: "zz" }), 422, /The after cursor must be a valid MongoDB ObjectId/);
  fails(await client.notifications.list({ limit: 101 }), 422);
  fails(await client.notifications.list({ after: NOWHERE }), 400, /Invalid after id/);
});

test("13: tags, any of and all of", async () => {
  const client = connect("a13");
  const [a, ab, b] = await send(client, "a13", ["a", "ab", "b"]);
  assert.deepEqual(await ids(client, { tags: ["a", "b"] }), [b, ab, a]);
  assert.deepEqual(await ids(client, { tags: { or: ["a"] } }), [ab, a]);
  assert.deepEqual(await ids(client, { tags: { and: [{ or: ["a"] }, { or: ["b"] }] } }), [ab]);
  for (const none of [[], { or: [] }, { and: [] }]) assert.equal((await ids(client, { tags: none })).length, 3);

  // Forms that no client sends, but people write by hand.
  const { body } = await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriber: "a13" }, { key: null });
  const asked = async (query) => {
    const answer = await server.call("GET", `/v1/inbox/notifications?${query}`, undefined, { key: null, headers: { Authorization: `Bearer ${body.data.token}` } });
    return answer.status === 200 ? answer.body.data.map((n) => n.transactionId) : answer.status;
  };
  assert.deepEqual(await asked("tags[or][]=a"), [ab, a]);
  assert.deepEqual(await asked("tags[and][0][or][]=a&tags[and][1][or][]=b"), [ab]);
  assert.deepEqual(await asked("tags[and][0][]=a&tags[and][1][]=b&tags[and][1][]=x"), [ab]);
  assert.deepEqual(await asked("tags[x]=a"), [ab, a]);
  assert.equal(await asked("tags[or][]=a&tags[and][0][]=b"), 422);
});

test("14: many tags", async () => {
  const client = connect("a14");
  const made = await send(client, "a14", ["a"]);
  const tags = Array.from({ length: 25 }, (_, i) => (i === 24 ? "a" : `t${i}`));
  assert.deepEqual(await ids(client, { tags }), made);
  assert.deepEqual(await ids(client, { tags: tags.slice(0, 24) }), []);
});

test("15: data", async () => {
  const client = connect("a15");
  const data = (k, nested) => ({ data: { k, nested } });
  const workflowId = "data-1", controlValues = { body: "b", data: { k: "1", nested: "p" } };
  await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps: [{ type: "in_app", name: "In", controlValues }] });
  const made = await send(client, "a15", [workflowId, "a"], { k: "2" });
  assert.deepEqual(await ids(client, { data: { k: "1" } }), [made[0]]);
  assert.deepEqual(await ids(client, { data: { k: ["1", "2"] } }), made.toReversed());
  assert.deepEqual(await ids(client, { data: { k: "1", nested: ["p", "q"] } }), [made[0]]);
  assert.deepEqual(await ids(client, data(["1", "2"], { and: [{ or: ["p", "x"] }, { or: ["p"] }] })), [made[0]]);
  assert.deepEqual(await ids(client, { data: { k: [], nested: { or: [] } } }), made.toReversed());     // as in the client's own cache
  assert.deepEqual(await ids(client, { data: { k: 1, nested: { x: ["p", "q"] } } }), []);
  fails(await client.notifications.list({ data: { a: { b: { c: 1 } } } }), 400, /Maximum nesting level exceeded \(2 levels max\)/);
});

test("16: severity none is without severity", async () => {
  const client = connect("a16");
  const [a, ab] = await send(client, "a16", ["a", "ab", "b"]);
  assert.deepEqual(await ids(client, { severity: ["high", "none"] }), [ab, a]);
  assert.deepEqual(await ids(client, { severity: "none" }), [a]);
});

test("17: the bounds of time are inclusive milliseconds", async () => {
  const client = connect("a17");
  const made = await send(client, "a17", ["a"]);
  const at = await now();
  await move("PT1S");
  made.push(...(await send(client, "a17", ["a"])));
  assert.deepEqual(await ids(client, { createdGte: at, createdLte: at }), [made[0]]);
  assert.deepEqual(await ids(client, { createdGte: at, createdLte: at + 1000 }), made.toReversed());
  assert.deepEqual(await ids(client, { createdGte: at + 1 }), [made[1]]);
  assert.deepEqual(await ids(client, { createdLte: at - 1 }), []);
});

test("18: unread and archived exclude each other", async () => {
  const client = connect("a18"), said = /^Filtering for unread and archived notifications is not supported\.$/;
  fails(await client.notifications.list({ read: false, archived: true }), 400, said);
  fails(await client.notifications.count({ filters: [{ read: false, archived: true }] }), 400, said);
});

test("19: counts keep their filters", async () => {
  const client = connect("a19");
  await send(client, "a19", ["a", "ab", "b"], { k: "1" });
  assert.deepEqual(ok(await client.notifications.count()), { count: 3, filter: {} });
  const filters = [
    { tags: [], read: false, archived: false, snoozed: false },
    { tags: ["a"], read: false, data: { z: "1", k: "1" } },
    { severity: ["high"], data: { k: ["1"] }, createdGte: 1, createdLte: 9e12 },
    { tags: { and: [{ or: ["a"] }, { or: ["b"] }] }, seen: false },
  ];
  const { counts } = ok(await client.notifications.count({ filters }));
  assert.deepEqual(counts.map((c) => c.filter), filters);
  assert.equal(JSON.stringify(counts[1].filter.data), '{"z":"1","k":"1"}');
  assert.deepEqual(counts.map((c) => c.count), [3, 0, 1, 1]);
});

test("20: counts stop at 100", async () => {
  const client = connect("a20");
  const events = listen(client, unread);
  await events.connected;
  const name = "a", to = "a20";
  for (const n of [100, 50])
    await server.call("POST", "/v1/events/trigger/bulk", { events: Array.from({ length: n }, (_, i) => ({ name, to, transactionId: `a20-${n}-${i}` })) });
  const listed = async () => {
    const first = await list(client, { limit: 100 });
    return first.hasMore && (await list(client, { limit: 100, after: first.notifications.at(-1).id })).notifications.length === 50;
  };
  await until(listed, "150 messages");
  assert.equal(ok(await client.notifications.count({ read: false })).count, 100);
  assert.deepEqual(ok(await mine("a20")).unreadCount, { total: 100, severity: { high: 0, medium: 0, low: 0, none: 100 } });
  await events.until(unread, ({ result }) => result.total === 100 && result.severity.none === 100);
});

test("21: read", async () => {
  const client = connect("a21");
  const message = await one(client, "a21");
  const read = ok(await message.read());
  assert.deepEqual([read.isRead, read.isSeen, read.isArchived], [true, true, false]);
  assert.equal(Date.parse(read.readAt), await now());
  assert.equal(Date.parse(read.firstSeenAt), await now());
  await move("PT1S");
  const again = ok(await message.read());
  assert.equal(again.firstSeenAt, read.firstSeenAt);
});

test("22: unread", async () => {
  const client = connect("a22");
  const message = await one(client, "a22");
  ok(await message.archive());
  const back = ok(await message.unread());
  assert.deepEqual([back.isRead, back.readAt, back.isArchived, back.isSeen], [false, null, false, true]);
});

test("23: archive and unarchive", async () => {
  const client = connect("a23");
  const message = await one(client, "a23");
  const archived = ok(await message.archive());
  assert.deepEqual([archived.isArchived, archived.isRead], [true, true]);
  assert.ok(archived.archivedAt);
  const back = ok(await archived.unarchive());
  assert.deepEqual([back.isArchived, back.isRead], [false, true]);
  assert.equal(back.archivedAt ?? null, null);
});

test("24: snooze and its limits", async () => {
  const client = connect("a24");
  const message = await one(client, "a24");
  const at = async (ms) => new Date((await now()) + ms).toISOString();
  fails(await message.snooze(await at(30_000)), 422, /Snooze time must be at least 60 seconds in the future/);
  fails(await message.snooze(await at(91 * 24 * HOUR)), 402, /Snooze Duration Limit Exceeded/);
  assert.equal(ok(await message.snooze(await at(HOUR))).isSnoozed, true);
  assert.deepEqual(await ids(client, { snoozed: false }), []);
  assert.deepEqual(await ids(client, { snoozed: true }), [message.transactionId]);
});

test("25: the end of a snooze", async () => {
  const client = connect("a25");
  const message = await one(client, "a25");
  const events = listen(client, received, unread);
  await events.connected;
  ok(await message.read());
  ok(await message.snooze(new Date((await now()) + HOUR).toISOString()));
  await move("PT1H");
  const { result } = await events.next(received);
  assert.equal(result.id, message.id);
  await events.until(unread, (e) => e.result.total === 1);
  const [back] = (await list(client, { snoozed: false })).notifications;
  assert.deepEqual([back.isRead, back.isSnoozed, back.deliveredAt.length], [false, false, 2]);
});

test("26: unsnooze", async () => {
  const client = connect("a26");
  for (const read of [true, false]) {
    const message = await one(client, "a26");
    if (read) ok(await message.read());
    ok(await message.snooze(new Date((await now()) + HOUR).toISOString()));
    const back = ok(await message.unsnooze());
    assert.deepEqual([back.isSnoozed, back.isRead], [false, read]);
    fails(await message.unsnooze(), 404);
  }
});

test("27: buttons", async () => {
  const client = connect("a27");
  const message = await one(client, "a27");
  const first = ok(await message.completePrimary());
  assert.equal(first.primaryAction.isCompleted, true);
  assert.equal(first.isRead, true);
  const second = ok(await first.completeSecondary());
  assert.deepEqual([second.primaryAction.isCompleted, second.secondaryAction.isCompleted], [false, true]);
  assert.equal(ok(await second.revertSecondary()).secondaryAction.isCompleted, false);
  const bare = await one(client, "a27", "b");
  assert.equal(bare.primaryAction, undefined);
  fails(await client.notifications.completePrimary({ notificationId: bare.id }), 400, /^Could not perform action on the primary button because it does not exist\.$/);
});

test("28: delete", async () => {
  const client = connect("a28");
  const message = await one(client, "a28");
  assert.equal((await message.delete()).error, undefined);
  assert.deepEqual(await ids(client), []);
  fails(await message.read(), 404, new RegExp(`Notification with id: ${message.id} is not found\\.`));
});

test("29: all that match, and nothing else", async () => {
  const client = connect("a29");
  const [a, ab, b] = await send(client, "a29", ["a", "ab", "b"], { k: "1" });
  const state = async (key) => (await list(client, { limit: 100 })).notifications.filter((n) => n[key]).map((n) => n.transactionId).toSorted();
  ok(await client.notifications.seenAll({ notificationIds: [(await list(client, { tags: ["b"] })).notifications[0].id, NOWHERE] }));
  assert.deepEqual(await state("isSeen"), [b]);
  assert.deepEqual(await state("isRead"), []);
  ok(await client.notifications.seenAll({ notificationIds: [] }));
  assert.deepEqual(await state("isSeen"), [b]);
  ok(await client.notifications.readAll({ tags: ["a"], data: { k: "2" } }));
  assert.deepEqual(await state("isRead"), []);
  ok(await client.notifications.readAll({ tags: ["a"], data: { k: "1" } }));
  assert.deepEqual(await state("isRead"), [a, ab].toSorted());
  ok(await client.notifications.archiveAllRead());
  assert.deepEqual(await state("isArchived"), [a, ab].toSorted());
  ok(await client.notifications.deleteAll({ tags: { and: [{ or: ["a"] }, { or: ["b"] }] } }));
  assert.deepEqual((await ids(client, { limit: 100 })).toSorted(), [a, b].toSorted());
  const fresh = await send(client, "a29", ["a"]);
  ok(await client.notifications.seenAll());
  assert.deepEqual((await state("isSeen")).length, 3);
  assert.deepEqual(await ids(client, { read: false }), [...fresh, b]);
  ok(await client.notifications.archiveAll());
  assert.deepEqual((await state("isArchived")).length, 3);
});

test("30: another one's message", async () => {
  const owner = connect("a30"), thief = connect("a30-thief"), inside = connect("a30", { context: { tenant: "acme" } });
  const message = await one(owner, "a30"), notificationId = message.id;
  const snoozeUntil = new Date((await now()) + HOUR).toISOString();
  for (const client of [thief, inside])
    for (const [method, args = {}] of [["read"], ["unread"], ["archive"], ["unarchive"], ["snooze", { snoozeUntil }], ["unsnooze"],
      ["completePrimary"], ["completeSecondary"], ["revertPrimary"], ["revertSecondary"], ["delete"]])
      fails(await client.notifications[method]({ notificationId, ...args }), 404);
  ok(await thief.notifications.seenAll({ notificationIds: [notificationId] }));
  ok(await inside.notifications.deleteAll());
  const { updatedAt, ...same } = (await list(owner)).notifications[0];
  assert.deepEqual([same.isRead, same.isSeen, same.isArchived, same.isSnoozed], [false, false, false, false]);
});

const named = (preferences, identifier) => preferences.find((p) => p.workflow?.identifier === identifier);
const choices = async (subscriber, criticality = "all") => ok(await connect(subscriber).preferences.list({ criticality }));

test("31: preferences", async () => {
  const some = ok(await connect("a31").preferences.list());
  assert.equal(some[0].level, "global");
  assert.ok(some.slice(1).every((p) => p.level === "template" && !p.workflow.critical) && named(some, "b"));
  const all = await choices("a31");
  assert.equal(all[0].level, "global");
  assert.equal(named(all, "critical").workflow.critical, true);
});

test("32: a choice, and the global one over it", async () => {
  ok(await named(await choices("a32"), "b").update({ channels: { email: false } }));
  assert.equal(named(await choices("a32"), "b").channels.email, false);
  fails(await named(await choices("a32"), "critical").update({ channels: { in_app: false } }), 400, /Critical workflow with id: .* can not be updated/);
  ok(await (await choices("a32"))[0].update({ channels: { email: true } }));
  assert.equal(named(await choices("a32"), "b").channels.email, true);
});

test("33: many choices, in their order, with a workflow called bulk", async () => {
  const steps = [{ type: "in_app", name: "In", controlValues: { body: "b" } }];
  await server.call("POST", "/v2/workflows", { name: "bulk", workflowId: "bulk", active: true, steps });
  const client = connect("a33"), preferences = ok(await client.preferences.list());
  const order = ["bulk", "b", "a"];
  const changed = ok(await client.preferences.bulkUpdate(order.map((id) => ({ preference: named(preferences, id), channels: { in_app: false } }))));
  assert.deepEqual(changed.map((p) => [p.workflow.identifier, p.channels.in_app]), order.map((id) => [id, false]));
  assert.equal(named(await choices("a33"), "ab").channels.in_app, true);
});

test("34: the schedule", async () => {
  const weekday = (start) => ({ isEnabled: true, hours: [{ start, end: "05:00 PM" }] });
  const client = connect("a34"), weeklySchedule = { monday: weekday("09:00 AM") };
  const schedule = ok(await client.preferences.schedule.get());
  const updated = ok(await schedule.update({ isEnabled: true, weeklySchedule }));
  assert.deepEqual(updated.weeklySchedule.monday, weeklySchedule.monday);
  const defaultSchedule = { isEnabled: false, weeklySchedule: { monday: weekday("10:00 AM") } };
  const later = ok(await mine("a34", { defaultSchedule }));
  assert.deepEqual([later.schedule.isEnabled, later.schedule.weeklySchedule.monday], [true, weeklySchedule.monday]);
  assert.deepEqual(ok(await mine("a34-new", { defaultSchedule })).schedule, defaultSchedule);
});

test("35: topic subscriptions", async () => {
  const client = connect("a35");
  assert.deepEqual(await client.subscriptions.get({ topicKey: "none", identifier: "tk_none:si_a35" }), { data: null });
  const made = ok(await client.subscriptions.create({ topicKey: "releases", preferences: ["a"] }));
  assert.equal(made.identifier, "tk_releases:si_a35");
  const changed = ok(await made.updatePreference({ workflowId: "a", value: false }));
  assert.equal(changed.subscriptionId, made.identifier);
  assert.equal((await made.delete()).error, undefined);
});

test("39: a bad token is told to go, and stays away", async () => {
  const { token } = ok(await mine("a39"));
  for (const bad of [`${token.slice(0, -2)}AA`, "null", ""]) {
    const frames = [], socket = new (globalThis.WebSocket ?? (await import("ws")).WebSocket)(
      `${server.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket&token=${bad}`);
    await new Promise((resolve, reject) => {
      socket.onerror = reject;
      socket.onmessage = ({ data }) => {
        frames.push(data);
        if (data[0] === "0") socket.send("40");
        if (data === "41") resolve();
      };
    });
    assert.deepEqual(frames.map((f) => f.slice(0, 2)), ["0{", "40", "41"]);
    socket.close();
  }
  // A door that counts. The client would be back after half a second to one and a half.
  let connections = 0;
  const door = createServer((incoming) => {
    connections++;
    const outgoing = dial(server.port, "127.0.0.1");
    for (const [from, to] of [[incoming, outgoing], [outgoing, incoming]]) from.on("error", () => to.destroy()).pipe(to);
  }).listen(0, "127.0.0.1");
  await once(door, "listening");
  const socketUrl = `http://127.0.0.1:${door.address().port}`;
  const client = connect("a39", { socketUrl, socketOptions: { query: { token: "bad" } } });
  listen(client, received);
  await until(() => connections > 0, "the attempt");
  await new Promise((resolve) => setTimeout(resolve, 2000));
  assert.equal(connections, 1);
  await client.socket.disconnect();
  door.close();
});
