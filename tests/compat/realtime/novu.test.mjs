// The socket as @novu/js 3.19.2 uses it against the whole program: inbox-realtime.md, assertions 36 to 40.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Carillon, until } from "../carillon.mjs";
import { api, inbox, listen, order, orderShipped } from "../clients.mjs";

// The plain transport of the client takes the browser's; Node 20 has none.
globalThis.WebSocket ??= WebSocket;

const received = "notifications.notification_received";
const unread = "notifications.unread_count_changed";
const unseen = "notifications.unseen_count_changed";

let server, novu;
const open = [];
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  await novu.workflows.create({ ...orderShipped, steps: [orderShipped.steps[0]] });
});
after(async () => {
  for (const client of open) await client.socket.disconnect();
  await server?.stop();
});

function connect(subscriber, more) {
  const client = inbox(server, subscriber, more);
  open.push(client);
  return client;
}
const trigger = (to, transactionId, context) =>
  novu.trigger({ workflowId: "order-shipped", to, payload: order, transactionId, ...(context ? { context } : {}) });
const ok = ({ data, error }) => {
  assert.equal(error, undefined);
  return data;
};
const profile = async (id) => (await novu.subscribers.retrieve(id)).result;

test("36: the default transport delivers a notification", async () => {
  const events = listen(connect("s36"), received);
  await events.connected;
  await trigger("s36", "t36");
  const { result } = await events.next(received);
  assert.equal(result.transactionId, "t36");
  assert.ok(result.body);
  assert.equal(result.primaryAction.label, "Track");
  assert.equal(result.workflow.identifier, "order-shipped");
  assert.equal(result.severity, "none");
});

test("37: every write is heard in all tabs, with the counts that a reader then gets", async () => {
  const tabs = [connect("s37"), connect("s37")];
  const events = tabs.map((tab) => listen(tab, received, unread));
  for (const tab of events) await tab.connected;
  for (let i = 0; i < 4; i++) {
    await trigger("s37", `t37-${i}`);
    for (const tab of events) await tab.next(received);
  }
  const list = async () => ok(await tabs[0].notifications.list({ read: false, archived: false, snoozed: false, useCache: false })).notifications;
  const settled = async (what) => {
    const count = ok(await tabs[0].notifications.count({ filters: [{ read: false, archived: false, snoozed: false }] })).counts[0].count;
    for (const tab of events) {
      let last;
      do last = (await tab.next(unread)).result;
      while (last.total !== count);
      assert.equal(last.total, count, what);
    }
    return count;
  };
  assert.equal(await settled("trigger"), 4);
  const [first] = await list();
  const read = ok(await first.read());
  assert.equal(await settled("read"), 3);
  ok(await read.unread());
  assert.equal(await settled("unread"), 4);
  ok(await first.archive());
  assert.equal(await settled("archive"), 3);
  const [second] = await list();
  ok(await second.delete());
  assert.equal(await settled("delete"), 2);
  ok(await tabs[0].notifications.readAll());
  assert.equal(await settled("readAll"), 0);
});

for (const transports of [["polling"], ["polling", "websocket"]])
  test(`38: ${transports.join(" and ")}, with the token in auth`, async () => {
    const id = `s38-${transports.length}`;
    const session = await server.call("POST", "/v1/inbox/session", {
      applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: id },
    }, { key: null });
    const { token } = session.body.data;
    const events = listen(connect(id, { socketOptions: { transports, query: {}, auth: { token } } }), received, unseen, unread);
    await events.connected;
    await trigger(id, id);
    assert.equal((await events.next(received)).result.transactionId, id);
    assert.equal((await events.next(unseen)).result, 1);
    assert.equal((await events.next(unread)).result.total, 1);
  });

test("38: comes back by itself after the server was restarted", async () => {
  const events = listen(connect("s38r"), received);
  await events.connected;
  assert.deepEqual(await server.stop({ keep: true }), { code: 0, signal: null });
  await server.start();
  // Nothing is kept for those who are away: the first message after the return arrives.
  let n = 0;
  await until(async () => {
    await trigger("s38r", `t38r-${n++}`);
    return events.count(received);
  }, "the socket to come back");
  assert.match((await events.next(received)).result.transactionId, /^t38r-/);
});

test("39: contexts do not hear each other", async () => {
  const clients = { none: connect("s39"), a: connect("s39", { context: { tenant: "a" } }), b: connect("s39", { context: { tenant: "b" } }) };
  const events = Object.fromEntries(Object.entries(clients).map(([name, client]) => [name, listen(client, received, unread, unseen)]));
  for (const one of Object.values(events)) await one.connected;
  await trigger("s39", "t39-a", { tenant: "a" });
  assert.equal((await events.a.next(received)).result.transactionId, "t39-a");
  assert.equal((await events.a.next(unread)).result.total, 1);
  // What comes after on the others is their own, so nothing came before.
  await trigger("s39", "t39-b", { tenant: "b" });
  assert.equal((await events.b.next(received)).result.transactionId, "t39-b");
  await trigger("s39", "t39");
  assert.equal((await events.none.next(received)).result.transactionId, "t39");
  assert.equal((await events.none.next(unread)).result.total, 1);
  assert.equal(events.none.count(unread), 0);
  assert.equal(events.b.count(received), 0);
});

test("40: the plain transport gets all three, and presence follows", async () => {
  const client = connect("s40", { socketUrl: server.url.replace("http", "ws"), socketOptions: { socketType: "cloud" } });
  const events = listen(client, received, unseen, unread);
  await events.connected;
  await until(async () => (await profile("s40")).isOnline, "presence");
  await trigger("s40", "t40");
  assert.equal((await events.next(received)).result.transactionId, "t40");
  assert.equal((await events.next(unseen)).result, 1);
  assert.deepEqual((await events.next(unread)).result, { total: 1, severity: { high: 0, medium: 0, low: 0, none: 1 } });
  const before = Date.now();
  await client.socket.disconnect();
  await until(async () => (await profile("s40")).isOnline === false, "absence");
  assert.ok(Date.parse((await profile("s40")).lastOnlineAt) >= before - 1000);
});
