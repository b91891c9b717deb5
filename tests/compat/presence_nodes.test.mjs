// Who is online when two processes share one PostgreSQL, and when one of them is killed (inbox-realtime.md §6.3).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { until } from "./carillon.mjs";
import { startPair } from "./postgres.mjs";
import { api, inbox, listen, order, orderShipped } from "./clients.mjs";

const received = "notifications.notification_received";
let pair, one, two;
const open = [];
before(async () => {
  pair = await startPair();
  ({ one, two } = pair);
  await api(one).workflows.create({ ...orderShipped, steps: [orderShipped.steps[0]] });
});
after(async () => {
  for (const client of open) await client.socket.disconnect();
  await pair?.stop();
});

async function connect(server, subscriber) {
  const client = inbox(server, subscriber);
  open.push(client);
  const events = listen(client, received);
  await events.connected;
  return { client, events };
}
const profile = async (id) => (await api(two).subscribers.retrieve(id)).result;
const places = async (id) => Number(pair.sql(`SELECT count(*) FROM presence p JOIN subscribers s ON s.id = p.subscriber_id WHERE s.subscriber_id = '${id}'`));

test("online until the last process has lost the last socket", async () => {
  const here = await connect(one, "both"), there = await connect(two, "both");
  await until(async () => (await places("both")) === 2, "both processes to say so");
  assert.equal((await profile("both")).isOnline, true);
  await here.client.socket.disconnect();
  await until(async () => (await places("both")) === 1, "one of them to say goodbye");
  const between = await profile("both");
  assert.equal(between.isOnline, true);
  assert.equal(between.lastOnlineAt ?? null, null);
  const before = Date.now();
  await there.client.socket.disconnect();
  await until(async () => (await profile("both")).isOnline === false, "absence");
  assert.ok(Date.parse((await profile("both")).lastOnlineAt) >= before - 1000);
});

test("a process that is killed takes along those who were there alone, and nobody else", { timeout: 90000 }, async () => {
  await connect(one, "shared");
  const there = await connect(two, "shared");
  const lonely = await connect(one, "lonely");
  await until(async () => (await places("shared")) === 2 && (await places("lonely")) === 1, "everybody to be here");
  const dead = pair.sql("SELECT encode(p.node_id, 'hex') FROM presence p JOIN subscribers s ON s.id = p.subscriber_id WHERE s.subscriber_id = 'lonely'");
  await one.kill();
  // Its lease lasts a minute: till then it might only be slow. Nobody is taken out before.
  assert.equal((await profile("lonely")).isOnline, true);
  pair.sql(`UPDATE nodes SET lease_until = 0 WHERE id = decode('${dead}', 'hex')`);
  await until(async () => (await profile("lonely")).isOnline === false, "the other process to notice", 25000);
  assert.ok((await profile("lonely")).lastOnlineAt);
  assert.equal((await profile("shared")).isOnline, true);
  assert.equal(await places("shared"), 1);
  await api(two).trigger({ workflowId: "order-shipped", to: "shared", payload: order, transactionId: "t-shared" });
  assert.equal((await there.events.next(received)).result.transactionId, "t-shared");
  // The process comes back as another one, and its people by themselves.
  await one.start();
  await until(async () => (await profile("lonely")).isOnline === true, "the socket to come back", 25000);
  assert.equal(await places("lonely"), 1);
  await api(two).trigger({ workflowId: "order-shipped", to: "lonely", payload: order, transactionId: "t-lonely" });
  assert.equal((await lonely.events.next(received)).result.transactionId, "t-lonely");
});

test("a process that was only slow says again who is there", { timeout: 90000 }, async () => {
  const slow = await connect(one, "slow");
  await until(async () => (await places("slow")) === 1, "presence");
  const node = pair.sql("SELECT encode(p.node_id, 'hex') FROM presence p JOIN subscribers s ON s.id = p.subscriber_id WHERE s.subscriber_id = 'slow'");
  one.child.kill("SIGSTOP");
  pair.sql(`UPDATE nodes SET lease_until = 0 WHERE id = decode('${node}', 'hex')`);
  await until(async () => (await profile("slow")).isOnline === false, "the other process to notice", 25000);
  one.child.kill("SIGCONT");
  await until(async () => (await profile("slow")).isOnline === true, "the slow one to say so", 25000);
  assert.equal(await places("slow"), 1);
  await api(two).trigger({ workflowId: "order-shipped", to: "slow", payload: order, transactionId: "t-slow" });
  assert.equal((await slow.events.next(received)).result.transactionId, "t-slow");
});

test("a process that stops in order leaves nobody behind who does not come back", { timeout: 90000 }, async () => {
  const gone = await connect(one, "gone");
  await until(async () => (await places("gone")) === 1, "presence");
  open.splice(open.indexOf(gone.client), 1);
  const stopped = one.stop({ keep: true });
  await gone.client.socket.disconnect();
  await stopped;
  await until(async () => (await profile("gone")).isOnline === false, "the other process to notice", 25000);
  assert.equal(await places("gone"), 0);
  await one.start();
});
