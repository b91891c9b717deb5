// Every public method of the unmodified @novu/headless 2.6.6, and what its socket hears.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { HeadlessService } from "@novu/headless";
import { Carillon } from "./carillon.mjs";
import { api, order, orderShipped } from "./clients.mjs";

let server, novu;
const open = [];
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  await novu.workflows.create(orderShipped);
  await novu.workflows.create({ name: "News", workflowId: "news", active: true, steps: [{ name: "In", type: "in_app", controlValues: { body: "n" } }] });
});
after(async () => {
  for (const service of open) {
    service.socket?.disconnect();
    service.queryClient.unmount();
    service.queryClient.clear();
  }
  await server?.stop();
});

function headless(subscriberId, more = {}) {
  const service = new HeadlessService({
    backendUrl: server.url, socketUrl: server.url, applicationIdentifier: server.dev.applicationIdentifier, subscriberId,
    config: { retry: 0 }, ...more,
  });
  open.push(service);
  return service;
}

/** What a method calls back with. */
const ask = (service, method, options = {}) =>
  new Promise((resolve, reject) => {
    const states = [];
    let stop;
    const end = (settle) => (value) => {
      settle(value);
      setImmediate(async () => (await stop)?.());
    };
    const last = setTimeout(() => reject(new Error(`${method} calls nothing back: ${JSON.stringify(states)}`)), 10_000);
    const done = (value) => (clearTimeout(last), end(resolve)(value));
    stop = service[method]({
      ...options,
      listener: (state) => states.push(state.status),
      onSuccess: done,
      onError: (error) => (clearTimeout(last), end(reject)(error)),
    });
  });

/** Calls of a listening method, in order. */
function hear(service, method) {
  const calls = [], waiters = [];
  service[method]({ listener: (value) => (waiters.length ? waiters.shift()(value) : calls.push(value)) });
  const next = () =>
    calls.length ? Promise.resolve(calls.shift()) : new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: nothing heard`)), 10_000);
      waiters.push((value) => (clearTimeout(timer), resolve(value)));
    });
  return { next, until: async (wanted) => { while ((await next()) !== wanted); } };
}

async function started(subscriberId, more) {
  const service = headless(subscriberId, more);
  const session = await ask(service, "initializeSession");
  if (!service.socket.connected) await new Promise((resolve) => service.socket.once("connect", resolve));
  // The server takes an engine's handshake before it says so: what comes now is heard.
  return { service, session, received: hear(service, "listenNotificationReceive"), unseen: hear(service, "listenUnseenCountChange"),
    unread: hear(service, "listenUnreadCountChange") };
}
const trigger = (to, transactionId) => novu.trigger({ workflowId: "order-shipped", to, payload: order, transactionId });
const feed = async (service, query = {}, page = 0) =>
  ask(service, "fetchNotifications", { page, query, storeId: `${Math.random()}` });

test("initializeSession: with its errors, and fetchOrganization", async () => {
  assert.throws(() => headless("early").fetchUnseenCount({ listener() {} }), /Session is not initialized/);
  const { service, session } = await started("one");
  assert.match(session.profile._id, /^[0-9a-f]{24}$/);
  assert.equal(session.token.split(".").length, 3);
  const organization = await ask(service, "fetchOrganization");
  assert.match(organization._id, /^[0-9a-f]{24}$/);
  assert.equal(organization.branding.direction, "ltr");
  for (const [more, message] of [
    [{ applicationIdentifier: "none" }, "Please provide a valid app identifier"],
    [{ applicationIdentifier: server.prod.applicationIdentifier }, "Please provide a valid HMAC hash"],
  ])
    await assert.rejects(ask(headless("one", more), "initializeSession"), (e) => JSON.stringify([e.message, e.response?.data ?? e.cause]).includes(message));
  const subscriberHash = createHmac("sha256", server.prod.secretKey).update("one").digest("hex");
  assert.ok(await ask(headless("one", { applicationIdentifier: server.prod.applicationIdentifier, subscriberHash }), "initializeSession"));
});

test("the socket's three events, and the counts by request", async () => {
  const { service, received, unseen, unread } = await started("live");
  await trigger("live", "t-h-live");
  const message = await received.next();
  assert.equal(message.content, "Hi , it arrives tomorrow.");
  assert.equal(message.templateIdentifier, "order-shipped");
  assert.deepEqual(message.payload.number, order.number);
  assert.equal(typeof message._templateId, "string");
  assert.equal(message.cta.action.buttons[0].content, "Track");
  assert.equal(message.channel, "in_app");
  assert.equal(message.seen, false);
  assert.equal(message.read, false);
  await unseen.until(1);
  await unread.until(1);
  assert.deepEqual(await ask(service, "fetchUnseenCount"), { count: 1 });
  assert.deepEqual(await ask(service, "fetchUnreadCount"), { count: 1 });
  const { data, totalCount, hasMore, pageSize, page } = await feed(service);
  assert.deepEqual({ totalCount, hasMore, pageSize, page }, { totalCount: 1, hasMore: false, pageSize: 10, page: 0 });
  for (const key of ["_id", "content", "templateIdentifier", "_templateId", "channel", "seen", "read", "transactionId", "cta", "payload"])
    assert.deepEqual(data[0][key], message[key], key);
});

test("fetchNotifications: pages and queries", async () => {
  const { service, unread } = await started("pages");
  for (let i = 0; i < 3; i++) {
    await trigger("pages", `t-h-page-${i}`);
    await unread.until(i + 1);
  }
  const first = await feed(service, { limit: 2 });
  const second = await feed(service, { limit: 2 }, 1);
  assert.deepEqual([first.data.length, first.hasMore, second.data.length, second.hasMore], [2, true, 1, false]);
  assert.deepEqual([...first.data, ...second.data].map((m) => m.transactionId), [2, 1, 0].map((i) => `t-h-page-${i}`));
  assert.equal((await feed(service, { payload: { number: order.number } })).data.length, 3);
  assert.equal((await feed(service, { payload: { number: "none" } })).data.length, 0);
  assert.equal((await feed(service, { seen: true })).data.length, 0);
  assert.equal((await feed(service, { read: false })).data.length, 3);
  assert.equal((await feed(service, { feedIdentifier: "none" })).data.length, 0);
});

test("marking one, several and all", async () => {
  const { service, unseen, unread } = await started("marks");
  for (let i = 0; i < 4; i++) {
    await trigger("marks", `t-h-mark-${i}`);
    await unread.until(i + 1);
  }
  const ids = (await feed(service)).data.map((m) => m._id);
  const [read] = await ask(service, "markNotificationsAsRead", { messageId: ids[0] });
  assert.deepEqual([read._id, read.seen, read.read], [ids[0], true, true]);
  await unread.until(3);
  const seen = await ask(service, "markNotificationsAsSeen", { messageId: [ids[1], ids[2]] });
  assert.deepEqual(seen.map((m) => [m.seen, m.read]), [[true, false], [true, false]]);
  await unseen.until(1);
  const [as] = await ask(service, "markNotificationsAs", { messageId: ids[0], mark: { seen: true, read: false } });
  assert.equal(as.read, false);
  await unread.until(4);
  assert.deepEqual(await ask(service, "markNotificationsAs", { messageId: "65f000000000000000000012", mark: { seen: true } }), []);
  assert.equal(await ask(service, "markAllMessagesAsSeen"), 1);
  await unseen.until(0);
  assert.equal(await ask(service, "markAllMessagesAsRead", { feedId: "none" }), 0);
  assert.equal(await ask(service, "markAllMessagesAsRead"), 4);
  await unread.until(0);
  assert.deepEqual(await ask(service, "fetchUnreadCount"), { count: 0 });
});

test("updateAction, removing one, some and all", async () => {
  const { service, unread } = await started("removal");
  for (let i = 0; i < 4; i++) {
    await trigger("removal", `t-h-removal-${i}`);
    await unread.until(i + 1);
  }
  const ids = (await feed(service)).data.map((m) => m._id);
  const action = { messageId: ids[0], actionButtonType: "primary", status: "done", payload: { from: "here" } };
  const done = await ask(service, "updateAction", action);
  assert.equal(done.cta.action.status, "done");
  assert.equal(done.cta.action.result.type, "primary");
  assert.deepEqual(done.cta.action.result.payload, { from: "here" });
  assert.ok(done.payload);
  assert.equal((await ask(service, "removeNotification", { messageId: ids[0] }))._id, ids[0]);
  await ask(service, "removeNotifications", { messageIds: [ids[1], ids[2]] });
  await unread.until(1);
  assert.deepEqual((await feed(service)).data.map((m) => m._id), [ids[3]]);
  await ask(service, "removeAllNotifications", { feedId: "none" });
  assert.equal((await feed(service)).data.length, 1);
  await ask(service, "removeAllNotifications");
  await unread.until(0);
  assert.equal((await feed(service)).data.length, 0);
});

test("preferences, of workflows and global", async () => {
  const { service } = await started("choosy");
  const list = await ask(service, "fetchUserPreferences");
  assert.deepEqual(list.map((p) => p.template.name).sort(), ["News", "Order shipped"]);
  const shipped = list.find((p) => p.template.name === "Order shipped");
  assert.deepEqual(shipped.preference.channels, { email: true, in_app: true });
  assert.equal(shipped.preference.enabled, true);
  const changed = await ask(service, "updateUserPreferences", { templateId: shipped.template._id, channelType: "email", checked: false });
  assert.equal(changed.template._id, shipped.template._id);
  assert.equal(changed.preference.channels.email, false);
  const again = await ask(headlessOf(service), "fetchUserPreferences");
  assert.equal(again.find((p) => p.template._id === shipped.template._id).preference.channels.email, false);
  const [global] = await ask(service, "fetchUserGlobalPreferences");
  assert.equal(global.preference.enabled, true);
  const now = await ask(service, "updateUserGlobalPreferences", { preferences: [{ channelType: "email", enabled: false }], enabled: true });
  assert.equal(now.preference.channels.email, false);
  await assert.rejects(ask(service, "updateUserPreferences", { templateId: "65f000000000000000000012", channelType: "email", checked: true }));
});

/** The same session without what it has cached. */
function headlessOf(service) {
  const other = headless(service.options.subscriberId);
  other.session = service.session;
  other.applyToken(service.session.token);
  return other;
}

test("a listener that was taken back hears no more", async () => {
  const { service, unread } = await started("quiet");
  let heard = 0;
  const stop = service.listenNotificationReceive({ listener: () => heard++ });
  await trigger("quiet", "t-h-quiet-1");
  await unread.until(1);
  stop();
  await trigger("quiet", "t-h-quiet-2");
  await unread.until(2);
  assert.equal(heard, 1);
});
