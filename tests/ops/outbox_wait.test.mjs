// GET /v1/outbox/wait: a test waits for its message without asking again and again.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { until } from "../compat/carillon.mjs";
import { mail, raw, serve, trigger, workflow } from "./run.mjs";

let server;
before(async () => {
  server = await serve();
  await workflow(server, mail);
});
after(() => server?.stop());
const wait = (query, options) => server.call("GET", `/v1/outbox/wait?${query}`, undefined, options);
const send = (to, id, text = "hello") => trigger(server, "mail", { subscriberId: to, email: `${to}@example.com` }, id, { text });
const waiting = async () => Number((await (await fetch(`${server.url}/metrics`)).text()).match(/^carillon_outbox_waiting (\d+)$/m)[1]);

test("a message that is there already is the answer at once, the newest first", async () => {
  await send("early", "t-early-1");
  await send("early", "t-early-2");
  await server.outbox("t-early-2");
  const { status, body } = await wait("to=early@example.com&timeout=60");
  assert.equal(status, 200);
  assert.equal(body.data.transactionId, "t-early-2");
  assert.equal(body.data.subject, "Hello");
  assert.match(body.data.html, /hello/);
  assert.equal((await wait("transactionId=t-early-1")).body.data.transactionId, "t-early-1");
});

test("a request waits until its message is on disk, and only for its own", async () => {
  const asked = ["to=late@example.com", "transactionId=t-late", "channel=email&to=late@example.com&transactionId=t-late"].map((q) => wait(`${q}&timeout=60`));
  const others = ["to=late@example.com&channel=sms", "to=late@example.co", "transactionId=t-lat"].map((q) => wait(`${q}&timeout=2`));
  const foreign = wait("to=late@example.com&timeout=2", { key: server.prod.secretKey });
  await until(async () => (await waiting()) === 7, "seven that wait");
  await send("someone", "t-else");
  await send("late", "t-late");
  for (const { status, body } of await Promise.all(asked)) {
    assert.equal(status, 200);
    assert.equal(body.data.transactionId, "t-late");
    assert.equal(body.data.to, "late@example.com");
  }
  for (const { status, text } of await Promise.all([...others, foreign])) {
    assert.equal(status, 204, "time is over");
    assert.equal(text, "");
  }
  assert.equal(await waiting(), 0);
});

test("messages that are committed while requests come in are not missed", async () => {
  const both = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const id = `t-race-${i}`;
      const found = wait(`transactionId=${id}&timeout=30`);
      if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      await send(`r${i}`, id);
      return (await found).status;
    }),
  );
  assert.deepEqual([...new Set(both)], [200]);
});

test("bad parameters, and a client that goes away", async () => {
  for (const [query, name] of [["timeout=61", "timeout"], ["timeout=-1", "timeout"], ["timeout=soon", "timeout"], ["channel=pigeon", "channel"]]) {
    const { status, text } = await wait(query);
    assert.equal(status, 422, query);
    assert.match(text, new RegExp(name));
  }
  assert.equal((await wait("to=x@y.z&timeout=0")).status, 204);
  assert.equal((await wait("to=x@y.z", { key: null })).status, 401);
  const gone = await raw(server.port);
  gone.socket.write(`GET /v1/outbox/wait?to=gone@example.com&timeout=3 HTTP/1.1\r\nHost: x\r\nAuthorization: ApiKey ${server.dev.secretKey}\r\n\r\n`);
  await until(async () => (await waiting()) === 1, "it waits");
  gone.socket.destroy();
  await send("gone", "t-gone");
  await server.outbox("t-gone");
  await until(async () => (await waiting()) === 0, "nobody waits");
});

test("more than can wait are told so, and the others go on", async () => {
  const many = Array.from({ length: 1030 }, (_, i) => wait(`to=m@example.com&timeout=60&i=${i}`));
  await until(async () => (await waiting()) === 1024, "all places are taken", 30000);
  await send("m", "t-m");
  const statuses = (await Promise.all(many)).map((r) => r.status);
  const count = (status) => statuses.filter((s) => s === status).length;
  // Those that came after the message found it without waiting.
  assert.equal(count(200) + count(503), 1030);
  assert.ok(count(200) >= 1024);
  assert.equal(await waiting(), 0);
});
