// SIGTERM and SIGINT: what was accepted is answered, nothing is waited for beyond ten seconds, nothing is lost.
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { request } from "node:http";
import { until } from "../compat/carillon.mjs";
import { bell, mail, raw, scratch, serve, trigger, workflow } from "./run.mjs";
import { relay, startSmtp } from "./smtp.mjs";

const sinks = [];
after(() => sinks.forEach((sink) => sink.stop()));
async function smtp(mode) {
  const sink = await startSmtp(mode);
  sinks.push(sink);
  return sink;
}

/** A server with every kind of client that could hold it up. */
async function crowded(dir, sink) {
  const server = await serve({ dir });
  await workflow(server, bell);
  await workflow(server, mail);
  assert.equal((await server.call("POST", "/v1/integrations", relay(sink))).status, 201);
  const session = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "ada" },
  }, { key: null });
  const { token } = session.body.data;
  const head = `Host: 127.0.0.1\r\nAuthorization: ApiKey ${server.dev.secretKey}\r\n`;

  const idle = await raw(server.port);
  idle.socket.write(`GET /v1/health-check HTTP/1.1\r\n${head}\r\n`);
  await until(() => idle.text().includes("200 OK"), "an answer on a connection that stays");
  const socket = await raw(server.port);
  socket.socket.write(`GET /socket.io/?EIO=4&transport=websocket&token=${token} HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  await until(() => socket.text().includes("101 Switching"), "the socket");
  const opened = await (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&token=${token}`)).text();
  const { sid } = JSON.parse(opened.slice(1));
  const poll = fetch(`${server.url}/socket.io/?EIO=4&transport=polling&sid=${sid}&token=${token}`).then((r) => r.status, () => "cut");
  const waiting = server.call("GET", "/v1/outbox/wait?to=nobody@example.com&timeout=60").then((r) => r.status, () => "cut");
  const half = await raw(server.port);
  half.socket.write(`POST /v1/events/trigger HTTP/1.1\r\n${head}Content-Ty`);
  assert.equal((await trigger(server, "mail", { subscriberId: "ada", email: "ada@example.com" }, "t-hanging")).status, 201);
  await until(() => sink.sessions > 0, "the delivery that hangs");
  return { server, idle, socket, poll, waiting, half, head };
}

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal}: sockets, polls, idle connections and a mail server that hangs do not hold it up`, async () => {
    const dir = scratch();
    const sink = await smtp("hang");
    const { server, idle, socket, poll, waiting } = await crowded(dir, sink);
    const began = Date.now();
    server.child.kill(signal);
    const how = await server.exited;
    assert.ok(Date.now() - began < 10000, "within ten seconds");
    assert.deepEqual(how, { code: 0, signal: null }, server.log);
    assert.match(server.log, new RegExp(`stopping signal=${signal}`));
    assert.match(server.log, /info stopped\n$/, "to the end, not cut off by the watchdog");
    assert.notEqual(await poll, "cut", "the long poll was answered");
    assert.equal(await waiting, 503, "the request that waits for the outbox was answered");
    await Promise.all([idle.ended, socket.ended]);

    sink.mode = "take";
    const again = await serve({ dir });
    await until(() => sink.mails.length, "the mail that was not sent before", 30000);
    await again.stop();
    assert.equal(sink.mails.length, 1);
  });
}

test("further signals during the drain change nothing", async () => {
  const dir = scratch();
  const sink = await smtp("hang");
  const { server } = await crowded(dir, sink);
  const signals = ["SIGTERM", "SIGTERM", "SIGINT", "SIGINT", "SIGTERM"];
  server.child.kill("SIGTERM");
  await until(() => server.log.includes("stopping"), "the drain");
  const more = setInterval(() => server.child.kill(signals.pop() ?? "SIGINT"), 50);
  const how = await server.exited;
  clearInterval(more);
  assert.deepEqual(how, { code: 0, signal: null }, server.log);
  sink.mode = "take";
  const again = await serve({ dir });
  assert.equal((await again.call("GET", "/v1/messages?transactionId=t-hanging")).body.data.length, 1);
  await until(() => sink.mails.length, "the mail");
  await again.stop();
});

test("a request that is on its way when the signal comes is answered", async () => {
  const server = await serve({ dir: scratch() });
  await workflow(server, bell);
  const body = JSON.stringify({ name: "bell", to: "ada", transactionId: "t-late", payload: {} });
  const head = `Host: 127.0.0.1\r\nAuthorization: ApiKey ${server.dev.secretKey}\r\n`;
  const slow = await raw(server.port);
  slow.socket.write(`POST /v1/events/trigger HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 20)}`);
  const health = await raw(server.port);
  health.socket.write("GET /v1/health-check HTTP/1.1\r\nHost: x\r\n");
  const trigger503 = await raw(server.port);
  trigger503.socket.write(`POST /v1/events/trigger HTTP/1.1\r\n${head}Content-Type: application/json\r\n`);
  // Their first halves have been read once a later request is answered on each loop.
  for (let i = 0; i < 20; i++) await fetch(`${server.url}/v1/health-check`, { headers: { Connection: "close" } });
  server.child.kill("SIGTERM");
  await until(() => server.log.includes("stopping"), "the drain");
  slow.socket.write(body.slice(20));
  health.socket.write("\r\n");
  trigger503.socket.write(`Content-Length: ${body.length}\r\n\r\n${body}`);
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  await Promise.all([slow.ended, health.ended, trigger503.ended]);
  assert.match(slow.text(), /^HTTP\/1\.1 201 /, "accepted before: done");
  assert.match(slow.text(), /t-late/);
  assert.match(health.text(), /^HTTP\/1\.1 503 /, "it cannot accept work");
  assert.match(health.text(), /"status":"error"/);
  assert.match(trigger503.text(), /^HTTP\/1\.1 503 /);
});

test("under load each trigger is answered or was never heard, and what was accepted is there afterwards", async () => {
  const dir = scratch();
  const server = await serve({ dir });
  await workflow(server, bell);
  const accepted = [];
  const cut = [];
  let stopping = false;
  const send = (transactionId) =>
    new Promise((resolve) => {
      const body = JSON.stringify({ name: "bell", to: "ada", transactionId, payload: { text: "x" } });
      let begun = false;
      const rq = request(`${server.url}/v1/events/trigger`, {
        method: "POST", agent: false,
        headers: { Authorization: `ApiKey ${server.dev.secretKey}`, "Content-Type": "application/json", "Content-Length": body.length },
      }, (rs) => {
        begun = true;
        rs.resume();
        rs.on("end", () => {
          if (rs.statusCode === 201) accepted.push(transactionId);
          else assert.equal(rs.statusCode, 503);
          resolve(true);
        });
        rs.on("error", () => cut.push(transactionId));
      });
      rq.on("error", () => {
        if (begun) cut.push(transactionId);
        resolve(false);
      });
      rq.end(body);
    });
  const clients = Array.from({ length: 8 }, async (_, c) => {
    for (let i = 0; !stopping && (await send(`t-${c}-${i}`)); i++);
  });
  await until(() => accepted.length > 100, "some load");
  server.child.kill("SIGTERM");
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  stopping = true;
  await Promise.all(clients);
  assert.deepEqual(cut, []);
  const again = await serve({ dir });
  for (const id of accepted) {
    const { body } = await again.call("GET", `/v1/messages?transactionId=${id}`);
    assert.equal(body.data.length, 1, id);
  }
  await again.stop();
});
