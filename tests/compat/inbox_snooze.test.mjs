// Snooze, its wake-up by the clock, and the server's doors to the same Inbox: @novu/js 3.19.2 and @novu/api.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api, inbox, listen, order, orderShipped } from "./clients.mjs";

const received = "notifications.notification_received";
const unread = "notifications.unread_count_changed";
const HOUR = 3600_000;

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
  await novu.workflows.create({ ...orderShipped, steps: [orderShipped.steps[0]] });
});
after(async () => {
  for (const client of open) await client.socket.disconnect();
  await server?.stop();
});
const ok = ({ data, error }) => {
  assert.equal(error, undefined, error?.originalError?.message ?? error?.message);
  return data;
};
const move = async (advance) => assert.equal((await server.call("POST", "/v1/testing/clock", { advance })).status, 200);
/** What the server's clock says: a subscriber is made then. */
const now = async () => Date.parse((await novu.subscribers.create({ subscriberId: `clock-${Math.random()}` })).result.createdAt);
const later = async (ms) => new Date((await now()) + ms).toISOString();
const list = async (client, more) => ok(await client.notifications.list({ useCache: false, ...more })).notifications;
async function message(client, to, transactionId, more) {
  await novu.trigger({ workflowId: "order-shipped", to, payload: order, transactionId, ...more });
  return until(async () => (await list(client)).find((n) => n.transactionId === transactionId), "the message");
}

test("a snoozed message moves to its list and comes back as new when the clock says so", async () => {
  const client = connect("sleeper");
  const events = listen(client, received, unread);
  await events.connected;
  const item = await message(client, "sleeper", "t-sleep");
  await events.next(received);
  await events.next(unread);
  ok(await item.read());
  assert.equal((await events.next(unread)).result.total, 0);
  const snoozed = ok(await item.snooze(await later(HOUR)));
  assert.equal(snoozed.isSnoozed, true);
  assert.equal(snoozed.isRead, true);
  assert.equal((await list(client, { snoozed: false })).length, 0);
  assert.equal((await list(client, { snoozed: true })).length, 1);

  await move("PT59M59S");
  assert.equal((await list(client, { snoozed: true })).length, 1);
  const due = await now();
  await move("PT1S");
  const { result: back } = await events.next(received);
  assert.equal(back.id, item.id);
  assert.equal(back.isRead, false);
  assert.equal(back.isSeen, false);
  assert.equal(back.body, item.body);
  assert.equal(back.workflow.identifier, "order-shipped");
  await until(async () => (await events.next(unread)).result.total === 1, "the count");
  const [listed] = await list(client, { snoozed: false, read: false });
  assert.equal(listed.id, item.id);
  assert.equal(listed.snoozedUntil, undefined);
  assert.equal(listed.readAt, undefined);
  assert.equal(listed.deliveredAt.length, 2);
  assert.equal(Date.parse(listed.deliveredAt[1]), due + 1000);
  assert.equal(Date.parse(listed.createdAt), due + 1000);

  const { result: feed } = await novu.notifications.list({ transactionId: "t-sleep" });
  const details = feed.data[0].jobs.flatMap((job) => job.executionDetails).map((d) => d.detail);
  for (const said of ["Message read", "Message snoozed", "Message unsnoozed"]) assert.ok(details.includes(said), `${said}: ${details}`);
});

test("times that are too near or too far are refused", async () => {
  const client = connect("limits");
  const item = await message(client, "limits", "t-limits");
  const near = await client.notifications.snooze({ notificationId: item.id, snoozeUntil: await later(30_000) });
  assert.equal(near.error.originalError.status, 422);
  assert.match(near.error.originalError.message, /Snooze time must be at least 60 seconds in the future|Validation/);
  const far = await client.notifications.snooze({ notificationId: item.id, snoozeUntil: await later(91 * 24 * HOUR) });
  assert.equal(far.error.originalError.status, 402);
  assert.match(far.error.originalError.message, /Snooze Duration Limit Exceeded/);
  ok(await item.snooze(await later(89 * 24 * HOUR)));
  const missing = await client.notifications.snooze({ notificationId: "65f000000000000000000012", snoozeUntil: await later(HOUR) });
  assert.equal(missing.error.originalError.status, 404);
  assert.match(missing.error.originalError.message, /Notification id: '65f000000000000000000012' not found$/);
  const bad = await server.call("PATCH", `/v2/subscribers/limits/notifications/${item.id}/snooze`, { snoozeUntil: "soon" });
  assert.equal(bad.status, 422);
});

test("how long one may snooze is a setting; 0 hides it", async () => {
  for (const [hours, reason] of [["5", "5 hours"], ["0", "0 hours"]]) {
    const other = await Carillon.start({ env: { CARILLON_SNOOZE_HOURS_MAX: hours } });
    const body = { applicationIdentifier: other.dev.applicationIdentifier, subscriber: "s" };
    const { body: { data } } = await other.call("POST", "/v1/inbox/session", body, { key: null });
    assert.equal(data.maxSnoozeDurationHours, Number(hours));
    const headers = { Authorization: `Bearer ${data.token}` };
    const snoozeUntil = new Date(Date.now() + 5 * HOUR + 60_000).toISOString();
    const answer = await other.call("PATCH", "/v1/inbox/notifications/65f000000000000000000012/snooze", { snoozeUntil }, { key: null, headers });
    assert.equal(answer.status, 402);
    assert.ok(answer.text.includes(`The snooze duration cannot exceed ${reason}.`), answer.text);
    await other.stop();
  }
});

test("by hand it comes back as it was, and its timer is gone", async () => {
  const client = connect("hand");
  const item = await message(client, "hand", "t-hand");
  ok(await item.read());
  ok(await item.snooze(await later(HOUR)));
  const back = ok(await item.unsnooze());
  assert.equal(back.isSnoozed, false);
  assert.equal(back.isRead, true);
  const again = await item.unsnooze();
  assert.equal(again.error.originalError.status, 404);
  await move("PT2H");
  const [listed] = await list(client);
  assert.equal(listed.isRead, true);
  assert.equal(listed.deliveredAt.length, 1);
});

test("a snooze survives a stop of the server", async () => {
  const clock = ["--clock", "virtual"];
  const one = await Carillon.start({ args: clock });
  const first = api(one);
  await first.workflows.create({ ...orderShipped, steps: [orderShipped.steps[0]] });
  await first.trigger({ workflowId: "order-shipped", to: "durable", payload: order, transactionId: "t-durable" });
  const client = inbox(one, "durable");
  const item = await until(async () => (await list(client))[0], "the message");
  const base = Date.parse((await first.subscribers.create({ subscriberId: "c" })).result.createdAt);
  ok(await item.snooze(new Date(base + HOUR).toISOString()));
  await one.kill();
  await one.start();
  assert.equal((await one.call("POST", "/v1/testing/clock", { now: new Date(base + HOUR + 60_000).toISOString() })).status, 200);
  const page = await api(one).subscribers.notifications.list({ subscriberId: "durable" });
  assert.equal(page.result.data[0].isSnoozed, false);
  assert.equal(page.result.data[0].isRead, false);
  await one.stop();
});

test("the server's doors do what the browser's do", async () => {
  const client = connect("twin");
  const item = await message(client, "twin", "t-twin");
  const events = listen(client, unread);
  await events.connected;
  const inboxOf = novu.subscribers.notifications;
  const id = { subscriberId: "twin", notificationId: item.id };
  const { result: page } = await inboxOf.list({ subscriberId: "twin", limit: 5 });
  assert.equal(page.data.length, 1);
  assert.equal(page.hasMore, false);
  assert.equal((await inboxOf.count("twin", JSON.stringify([{ read: false }]))).result[0].count, 1);
  assert.equal((await inboxOf.markAsRead(id)).result.isRead, true);
  assert.equal((await events.next(unread)).result.total, 0);
  assert.equal((await inboxOf.markAsUnread(id)).result.isRead, false);
  assert.equal((await inboxOf.archive(id)).result.isArchived, true);
  assert.equal((await inboxOf.unarchive(id)).result.isArchived, false);
  assert.equal((await inboxOf.completeAction({ ...id, actionType: "primary" })).result.primaryAction.isCompleted, true);
  assert.equal((await inboxOf.revertAction({ ...id, actionType: "primary" })).result.primaryAction.isCompleted, false);
  const at = new Date((await now()) + HOUR);
  assert.equal((await inboxOf.snooze({ ...id, snoozeSubscriberNotificationDto: { snoozeUntil: at } })).result.isSnoozed, true);
  assert.equal((await inboxOf.unsnooze(id)).result.isSnoozed, false);
  await assert.rejects(inboxOf.unsnooze(id), { statusCode: 404 });
  await assert.rejects(inboxOf.list({ subscriberId: "nobody" }), (e) => e.statusCode === 400 && /Subscriber with id: nobody is not found\./.test(e.message));
  const unknown = await server.call("GET", "/v2/subscribers/nobody/notifications/count?filters=[{}]");
  assert.equal(unknown.status, 400);
  assert.match(unknown.body.message, /^Subscriber nobody doesn't exist in environment [0-9a-f]{24}$/);

  const inside = await novu.trigger({ workflowId: "order-shipped", to: "twin", payload: order, transactionId: "t-inside", context: { tenant: "acme" } });
  assert.ok(inside);
  await until(async () => (await inboxOf.list({ subscriberId: "twin" })).result.data.length === 2, "messages of all contexts");
  assert.equal((await inboxOf.list({ subscriberId: "twin", contextKeys: ["tenant:acme"] })).result.data.length, 1);
  assert.equal((await inboxOf.list({ subscriberId: "twin", contextKeys: [""] })).result.data[0].transactionId, "t-twin");
  await inboxOf.markAllAsRead({ contextKeys: ["tenant:acme"] }, "twin");
  const reads = async () => Object.fromEntries((await inboxOf.list({ subscriberId: "twin" })).result.data.map((n) => [n.transactionId, n.isRead]));
  assert.equal((await reads())["t-inside"], true);
  await inboxOf.markAllAsRead({}, "twin");
  assert.deepEqual(await reads(), { "t-twin": true, "t-inside": true });
  await inboxOf.delete(id);
  assert.deepEqual(Object.keys(await reads()), ["t-inside"]);
  await inboxOf.deleteAll({}, "twin");
  assert.deepEqual(await reads(), {});
});
