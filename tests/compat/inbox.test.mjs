// The Inbox through @novu/js 3.19.2: session, lists, counts, writes and the realtime socket.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Carillon, until } from "./carillon.mjs";
import { ada, api, inbox, listen, order, orderShipped } from "./clients.mjs";

const received = "notifications.notification_received";
const unread = "notifications.unread_count_changed";
const unseen = "notifications.unseen_count_changed";

let server, novu;
const open = [];
function connect(subscriber, more) {
  const client = inbox(server, subscriber, more);
  open.push(client);
  return client;
}
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  await novu.workflows.create({ ...orderShipped, steps: [orderShipped.steps[0]] });
});
after(async () => {
  for (const client of open) await client.socket.disconnect();
  await server?.stop();
});

const trigger = (to, transactionId, payload = order) => novu.trigger({ workflowId: "order-shipped", to, payload, transactionId });
const ok = ({ data, error }) => {
  assert.equal(error, undefined);
  return data;
};

test("a session has what the Inbox reads unchecked", async () => {
  const answer = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "fresh", timezone: "UTC" },
  }, { key: null });
  assert.equal(answer.status, 201);
  const { data } = answer.body;
  assert.deepEqual(data.unreadCount, { total: 0, severity: { high: 0, medium: 0, low: 0, none: 0 } });
  assert.equal(data.totalUnreadCount, 0);
  assert.equal(data.removeNovuBranding, true);
  assert.equal(data.isDevelopmentMode, true);
  assert.equal(typeof data.maxSnoozeDurationHours, "number");
  assert.deepEqual(data.contextKeys, []);
  const claims = JSON.parse(Buffer.from(data.token.split(".")[1], "base64url"));
  assert.equal(claims.aud, "widget_user");
  assert.equal(claims.iss, "novu_api");
  assert.equal(claims.subscriberId, "fresh");
  assert.equal(claims.exp - claims.iat, 15 * 86400);
  const { result } = await novu.subscribers.retrieve("fresh");
  assert.equal(result.timezone, "UTC");
});

test("a session is refused for the reasons of the contract, with CORS headers", async () => {
  const call = (body) => server.call("POST", "/v1/inbox/session", body, { key: null, headers: { Origin: "https://shop.example" } });
  const cases = [
    [{ applicationIdentifier: "nope", subscriber: { subscriberId: "x" } }, 400, /valid application identifier/],
    [{ applicationIdentifier: server.dev.applicationIdentifier }, 422, /Subscriber ID is required/],
    [{ subscriber: { subscriberId: "x" } }, 422, /valid application identifier is required/],
    [{ applicationIdentifier: server.prod.applicationIdentifier, subscriber: { subscriberId: "x" } }, 400, /valid HMAC hash/],
    [{ applicationIdentifier: server.prod.applicationIdentifier, subscriber: { subscriberId: "x" }, subscriberHash: "00" }, 400, /valid HMAC hash/],
  ];
  for (const [body, status, message] of cases) {
    const answer = await call(body);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.body.message, message);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  }
  const hash = createHmac("sha256", server.prod.secretKey).update("x").digest("hex");
  const answer = await call({ applicationIdentifier: server.prod.applicationIdentifier, subscriber: { subscriberId: "x" }, subscriberHash: hash });
  assert.equal(answer.status, 201);
});

test("only a hash lets a browser rewrite a profile that exists", async () => {
  await novu.subscribers.create({ subscriberId: "kept", firstName: "Kept" });
  const body = { applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "kept", firstName: "Mallory" } };
  await server.call("POST", "/v1/inbox/session", body, { key: null });
  assert.equal((await novu.subscribers.retrieve("kept")).result.firstName, "Kept");
  body.subscriberHash = createHmac("sha256", server.dev.secretKey).update("kept").digest("hex");
  await server.call("POST", "/v1/inbox/session", body, { key: null });
  assert.equal((await novu.subscribers.retrieve("kept")).result.firstName, "Mallory");
});

test("a trigger arrives over the socket, with both counts", async () => {
  const client = connect("live");
  const events = listen(client, received, unread, unseen);
  await events.connected;
  await trigger({ ...ada, subscriberId: "live" }, "t-live");
  const { result: message } = await events.next(received);
  assert.equal(message.transactionId, "t-live");
  assert.equal(message.subject, "Order A-17 shipped");
  assert.equal(message.body, "Hi ADA, it arrives tomorrow.");
  assert.equal(message.isRead, false);
  assert.equal(message.primaryAction.label, "Track");
  assert.equal((await events.next(unseen)).result, 1);
  assert.deepEqual((await events.next(unread)).result, { total: 1, severity: { high: 0, medium: 0, low: 0, none: 1 } });

  // What the socket says is already true for a reader.
  assert.equal(ok(await client.notifications.count({ read: false })).count, 1);
  const [listed] = ok(await client.notifications.list({ useCache: false })).notifications;
  assert.equal(listed.id, message.id);
  assert.equal(listed.body, message.body);
  assert.equal(listed.workflow.identifier, "order-shipped");
  assert.deepEqual(listed.data, { number: "A-17" });

  ok(await message.read());
  assert.equal((await events.next(unread)).result.total, 0);
  const [now] = ok(await client.notifications.list({ useCache: false })).notifications;
  assert.equal(now.isRead, true);
  assert.equal(now.isSeen, true);
  assert.ok(now.readAt);
  ok(await now.unread());
  assert.equal((await events.next(unread)).result.total, 1);
  ok(await now.archive());
  assert.equal((await events.next(unread)).result.total, 0);
  assert.equal(ok(await client.notifications.list({ archived: true, useCache: false })).notifications.length, 1);
});

test("the action of a message can be completed and reverted", async () => {
  const client = connect("actor");
  await trigger({ ...ada, subscriberId: "actor" }, "t-action");
  const message = await until(async () => ok(await client.notifications.list({ useCache: false })).notifications[0], "the message");
  const done = ok(await message.completePrimary());
  assert.equal(done.primaryAction.isCompleted, true);
  assert.equal(done.isRead, true);
  assert.equal(ok(await done.revertPrimary()).primaryAction.isCompleted, false);
  const { error } = await message.completeSecondary();
  assert.match(error.originalError.message, /secondary button because it does not exist/);
});

test("lists page by cursor and filter; counts keep their filters", async () => {
  for (let i = 0; i < 5; i++) await trigger("pager", `t-page-${i}`, { number: i });
  const client = connect("pager");
  await until(async () => ok(await client.notifications.count({ read: false })).count === 5, "five messages");
  const first = ok(await client.notifications.list({ limit: 2, useCache: false }));
  assert.equal(first.hasMore, true);
  const second = ok(await client.notifications.list({ limit: 2, after: first.notifications[1].id, useCache: false }));
  const third = ok(await client.notifications.list({ limit: 2, after: second.notifications[1].id, useCache: false }));
  assert.equal(third.hasMore, false);
  const subjects = [...first.notifications, ...second.notifications, ...third.notifications].map((n) => n.subject);
  assert.equal(new Set(subjects).size, 5);
  assert.equal(ok(await client.notifications.list({ tags: ["orders"], useCache: false })).notifications.length, 5);
  assert.equal(ok(await client.notifications.list({ tags: ["other"], useCache: false })).notifications.length, 0);
  assert.equal(ok(await client.notifications.list({ data: { number: "3" }, useCache: false })).notifications.length, 1);

  const { counts } = ok(await client.notifications.count({ filters: [{ read: false }, { tags: [], read: true }] }));
  assert.deepEqual(counts.map((c) => c.count), [5, 0]);
  assert.deepEqual(counts[1].filter, { tags: [], read: true });

  ok(await client.notifications.readAll());
  assert.equal(ok(await client.notifications.count({ read: false })).count, 0);
  ok(await client.notifications.archiveAllRead());
  assert.equal(ok(await client.notifications.list({ archived: false, useCache: false })).notifications.length, 0);
});

test("every tab hears of a change made in one of them; other people hear nothing", async () => {
  const [one, two, other] = [connect("tabs"), connect("tabs"), connect("stranger")];
  const events = [one, two, other].map((client) => listen(client, received, unread));
  for (const { connected } of events) await connected;
  await trigger("tabs", "t-tabs");
  const { result: message } = await events[0].next(received);
  assert.equal((await events[1].next(received)).result.id, message.id);
  await events[0].next(unread);
  await events[1].next(unread);
  ok(await message.read());
  assert.equal((await events[1].next(unread)).result.total, 0);
  // The stranger's own message comes after: had the other's come, it would be first.
  await trigger("stranger", "t-stranger");
  assert.equal((await events[2].next(received)).result.transactionId, "t-stranger");
});

test("a message belongs to its subscriber only", async () => {
  await trigger("owner", "t-owner");
  const owner = connect("owner");
  const message = await until(async () => ok(await owner.notifications.list({ useCache: false })).notifications[0], "the message");
  const { error } = await connect("thief").notifications.read({ notificationId: message.id });
  assert.equal(error.originalError.status, 404);
  assert.match(error.originalError.message, /is not found/);
});

test("the socket works over long polling, and refuses a bad token quietly", async () => {
  const client = connect("poller", { socketOptions: { transports: ["polling", "websocket"] } });
  const events = listen(client, received);
  await events.connected;
  await trigger("poller", "t-poll");
  assert.equal((await events.next(received)).result.transactionId, "t-poll");

  const answer = await server.call("GET", "/v1/inbox/notifications", undefined, { key: null, headers: { Authorization: "Bearer not.a.token" } });
  assert.equal(answer.status, 401);
  assert.equal(answer.body.message, "Unauthorized");
});

test("contexts separate messages", async () => {
  const plain = connect("ctx");
  const acme = connect("ctx", { context: { tenant: "acme" } });
  await novu.trigger({ workflowId: "order-shipped", to: "ctx", payload: order, transactionId: "t-ctx", context: { tenant: "acme" } });
  await until(async () => ok(await acme.notifications.count({ read: false })).count === 1, "the message of the context");
  assert.equal(ok(await plain.notifications.count({ read: false })).count, 0);
});

test("preflights are answered for the browser", async () => {
  const answer = await fetch(`${server.url}/v1/inbox/notifications`, {
    method: "OPTIONS",
    headers: { Origin: "https://shop.example", "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,novu-client-version" },
  });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.match(answer.headers.get("access-control-allow-headers"), /novu-client-version/i);
  assert.match(answer.headers.get("access-control-allow-methods"), /PATCH/);
  assert.equal(answer.headers.get("access-control-max-age"), "86400");
});
