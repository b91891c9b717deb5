// Two processes on one PostgreSQL: what one of them stores reaches the sockets of the other.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startPair } from "./postgres.mjs";
import { api, inbox, listen, order, orderShipped } from "./clients.mjs";

const received = "notifications.notification_received";
const unread = "notifications.unread_count_changed";
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

test("messages and counts reach the sockets of every process, once", async () => {
  const clients = [one, two].map((server) => inbox(server, "far"));
  open.push(...clients);
  const [here, there] = clients.map((client) => listen(client, received, unread));
  await here.connected;
  await there.connected;
  await api(one).trigger({ workflowId: "order-shipped", to: "far", payload: order, transactionId: "t-far" });
  const { result: near } = await here.next(received);
  const { result: far } = await there.next(received);
  assert.equal(far.id, near.id);
  assert.equal(far.body, near.body);
  assert.equal((await here.next(unread)).result.total, 1);
  assert.equal((await there.next(unread)).result.total, 1);
  await far.read();
  assert.equal((await there.next(unread)).result.total, 0);
  assert.equal((await here.next(unread)).result.total, 0);
  // Each has heard once: the next message would come behind a repetition.
  await api(two).trigger({ workflowId: "order-shipped", to: "far", payload: order, transactionId: "t-far-2" });
  for (const events of [here, there]) {
    assert.equal((await events.next(received)).result.transactionId, "t-far-2");
    assert.equal((await events.next(unread)).result.total, 1);
    assert.equal(events.count(received), 0);
  }
});

test("what the API deletes on one process is heard on the other", async () => {
  const people = ["gone-1", "gone-2"];
  const clients = people.map((id) => inbox(two, id));
  open.push(...clients);
  const heard = clients.map((client) => listen(client, unread));
  for (const { connected } of heard) await connected;
  for (const transactionId of ["t-gone-one", "t-gone-all"]) {
    await api(one).trigger({ workflowId: "order-shipped", to: people, payload: order, transactionId });
    for (const events of heard) await events.until(unread, ({ result }) => result.total === (transactionId === "t-gone-one" ? 1 : 2));
  }
  const { result: page } = await api(one).messages.retrieve({ subscriberId: "gone-1", transactionId: ["t-gone-one"] });
  assert.equal((await one.call("DELETE", `/v1/messages/${page.data[0].id}`)).status, 200);
  await heard[0].until(unread, ({ result }) => result.total === 1);
  assert.equal((await one.call("DELETE", "/v1/messages/transaction/t-gone-all")).status, 204);
  await heard[0].until(unread, ({ result }) => result.total === 0);
  await heard[1].until(unread, ({ result }) => result.total === 1);
});

test("what is missed while the listening connection is gone is counted when it is back", async () => {
  const client = inbox(two, "deaf");
  open.push(client);
  const heard = listen(client, unread);
  await heard.connected;
  await api(one).trigger({ workflowId: "order-shipped", to: "deaf", payload: order, transactionId: "t-deaf" });
  await heard.until(unread, ({ result }) => result.total === 1);
  // A second passes before they listen again: these words are for nobody.
  const ended = pair.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'carillon-listener'");
  assert.equal(Number(ended), 2);
  assert.equal((await one.call("DELETE", "/v1/messages/transaction/t-deaf")).status, 204);
  await heard.until(unread, ({ result }) => result.total === 0);
});
