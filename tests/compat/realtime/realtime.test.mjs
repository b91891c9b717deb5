// The real Socket.IO client (npm socket.io-client 4.8.3) and partysocket against the hub alone.
import nodeTest, { before, after, afterEach } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { WebSocket as PartySocket } from "partysocket";

const tree = fileURLToPath(new URL("../../../build", import.meta.url));
let program = process.env.COMPAT_REALTIME_SERVER;
const test = (name, fn) => nodeTest(name, { timeout: 30000 }, fn);
const sockets = [];
const servers = new Set();

process.on("exit", () => servers.forEach((child) => child.kill("SIGKILL")));

class Server {
  static async start(port = 0, ping = 0, timeout = 0) {
    const server = new Server();
    // A test that is killed leaves no server behind.
    const args = ["--pdeathsig", "KILL", program, port, ping, timeout].map(String);
    server.child = spawn("setpriv", args, { stdio: ["ignore", "pipe", "inherit"] });
    servers.add(server.child);
    const [line] = await once(server.child.stdout, "data");
    server.port = Number(line);
    server.url = `http://127.0.0.1:${server.port}`;
    return server;
  }
  async stop() {
    const gone = once(this.child, "exit");
    this.child.kill("SIGTERM");
    const [code] = await gone;
    servers.delete(this.child);
    assert.equal(code, 0);
  }
  async post(path, body = "") {
    const answer = await fetch(this.url + path, { method: "POST", body });
    assert.equal(answer.status, 204);
  }
  emit(message, to = 1, context = "") {
    return this.post(`/emit?to=${to}&context=${encodeURIComponent(context)}`, JSON.stringify(message));
  }
  async state() {
    return (await fetch(`${this.url}/state`)).json();
  }
  async until(wanted) {
    const end = Date.now() + 20000;
    let state;
    do {
      state = await this.state();
      if (Object.entries(wanted).every(([key, value]) => state[key] === value)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while (Date.now() < end);
    assert.deepEqual(state, wanted);
  }
}

let server;
before(async () => {
  if (!program) {
    execFileSync("cmake", ["--build", tree, "--target", "compat_realtime_server"], { stdio: "ignore" });
    program = `${tree}/compat_realtime_server`;
  }
  server = await Server.start();
});
after(() => server.stop());
afterEach(() => sockets.splice(0).forEach((socket) => socket.close()));

// As @novu/js makes it, but for what a test changes.
function client(options = {}, url = server.url) {
  const socket = io(url, { reconnectionDelayMax: 10000, transports: ["websocket"], query: { token: "1" }, forceNew: true, ...options });
  socket.heard = [];
  socket.onAny((name, data) => {
    socket.heard.push([name, data]);
    socket.waiting?.();
  });
  sockets.push(socket);
  return socket;
}

async function event(emitter, name) {
  return new Promise((resolve) => emitter.once(name, (...values) => resolve(values)));
}

async function hears(socket, n) {
  while (socket.heard.length < n) await new Promise((resolve) => (socket.waiting = resolve));
  return socket.heard.splice(0, n);
}

const counts = (n) => [
  ["unseen_count_changed", { unseenCount: n, hasMore: false }],
  ["unread_count_changed", { unreadCount: n, counts: { total: n, severity: { high: 0, medium: 0, low: 0, none: n } }, hasMore: false }],
];

for (const [name, transports] of [["WebSocket", ["websocket"]], ["polling", ["polling"]], ["polling and upgrade", ["polling", "websocket"]]])
  test(`${name}: three events in order, acknowledgement, leaving`, async () => {
    const socket = client({ transports });
    const upgraded = transports.length > 1 ? new Promise((resolve) => socket.io.on("open", () => socket.io.engine.once("upgrade", resolve))) : null;
    await event(socket, "connect");
    assert.match(socket.id, /^[0-9A-Za-z]{20}$/);
    assert.notEqual(socket.id, socket.io.engine.id);
    if (upgraded) {
      await upgraded;
      assert.equal(socket.io.engine.transport.name, "websocket");
    }
    await server.post("/unread?n=3");
    await server.emit({ _id: "m", content: "grüß dich 🔔" });
    assert.deepEqual(await hears(socket, 3), [["notification_received", { message: { _id: "m", content: "grüß dich 🔔" } }], ...counts(3)]);
    await server.post("/changed?to=1");
    assert.deepEqual(await hears(socket, 2), counts(3));
    assert.equal(await socket.timeout(10000).emitWithAck("hello", { a: 1 }), undefined);
    socket.emit("ignored", 1);
    await server.until({ sockets: 1 });
    socket.disconnect();
    await server.until({ sockets: 0, online: 0 });
  });

test("nothing is lost or swapped while the connection is upgraded", async () => {
  const socket = client({ transports: ["polling", "websocket"] });
  await event(socket, "connect");
  for (let i = 0; i < 60; i++) await server.emit(i);
  const got = [];
  while (got.length < 60) {
    const [[name, data]] = await hears(socket, 1);
    if (name === "notification_received") got.push(data.message);
  }
  assert.deepEqual(got, [...Array(60).keys()]);
  assert.equal(socket.io.engine.transport.name, "websocket");
});

for (const transport of ["websocket", "polling"]) {
  test(`${transport}: the token of the auth payload`, async () => {
    const socket = client({ transports: [transport], query: {}, auth: { token: "2:tenant:acme" } });
    await event(socket, "connect");
    await server.emit("for nobody", 2);
    await server.emit("for acme", 2, "tenant:acme");
    assert.deepEqual((await hears(socket, 1))[0], ["notification_received", { message: "for acme" }]);
  });

  test(`${transport}: a path in the URL is a namespace`, async () => {
    const socket = client({ transports: [transport] }, `${server.url}/rt/eu`);
    await event(socket, "connect");
    await server.emit("hello");
    assert.deepEqual((await hears(socket, 1))[0], ["notification_received", { message: "hello" }]);
    assert.equal(await socket.timeout(10000).emitWithAck("hello"), undefined);
  });

  test(`${transport}: a bad token connects, is told to go, and stays away`, async () => {
    for (const token of ["bad", "null", ""]) {
      const socket = client({ transports: [transport], query: { token } });
      const connected = event(socket, "connect");
      const [reason] = await event(socket, "disconnect");
      await connected;
      assert.equal(reason, "io server disconnect");
      assert.equal(socket.active, false);
    }
    await server.until({ sockets: 0 });
  });

  test(`${transport}: comes back by itself after the server was restarted`, async () => {
    const first = await Server.start();
    const socket = client({ transports: [transport] }, first.url);
    await event(socket, "connect");
    const left = event(socket, "disconnect");
    const back = event(socket, "connect");
    await first.stop();
    const [reason] = await left;
    assert.match(reason, /^transport (close|error)$/);
    const second = await Server.start(first.port);
    await back;
    await second.emit("again");
    assert.deepEqual((await hears(socket, 1))[0], ["notification_received", { message: "again" }]);
    socket.close();
    await second.stop();
  });

  test(`${transport}: lives on through heartbeats, and ends without them`, async () => {
    const quick = await Server.start(0, 60, 400);
    const socket = client({ transports: [transport], reconnection: false }, quick.url);
    let pings = 0;
    const enough = new Promise((resolve) => socket.io.on("ping", () => ++pings === 12 && resolve()));
    await event(socket, "connect");
    await enough;
    assert.equal(socket.connected, true);
    // A client that does not answer any more.
    const gone = event(socket, "disconnect");
    socket.io.engine.transport.send = () => {};
    await gone;
    await quick.until({ sockets: 0 });
    await quick.stop();
  });

  test(`${transport}: a message longer than 16 bits of length`, async () => {
    const socket = client({ transports: [transport] });
    await event(socket, "connect");
    const part = "x".repeat(65510);
    await server.emit(part);
    const [[, data]] = await hears(socket, 1);
    assert.equal(data.message, part);
  });
}

test("two namespaces share one connection", async () => {
  const one = client();
  await event(one, "connect");
  const two = one.io.socket("/rt", {});
  const heard = event(two, "notification_received");
  sockets.push(two);
  await event(two, "connect");
  await server.emit("both");
  assert.deepEqual(await heard, [{ message: "both" }]);
  assert.deepEqual((await hears(one, 1))[0], ["notification_received", { message: "both" }]);
  await server.until({ sockets: 1 });
  two.disconnect();
  await one.timeout(10000).emitWithAck("still here");
});

test("several clients of one subscriber all hear it", async () => {
  const all = [client(), client({ transports: ["polling"] }), client({ transports: ["polling", "websocket"] })];
  await Promise.all(all.map((socket) => event(socket, "connect")));
  await server.emit("all");
  for (const socket of all) assert.deepEqual((await hears(socket, 1))[0], ["notification_received", { message: "all" }]);
});

test("the plain transport through partysocket", async () => {
  const url = server.url.replace("http", "ws");
  const socket = new PartySocket(`${url}/?token=3`, [], { WebSocket });
  sockets.push(socket);
  socket.heard = [];
  socket.addEventListener("message", ({ data }) => {
    socket.heard.push(data);
    socket.waiting?.();
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  socket.send("ping");
  assert.deepEqual(await hears(socket, 1), ["pong"]);
  await server.until({ online: 1 });
  await server.post("/unread?n=2");
  await server.emit({ _id: "p" }, 3);
  const got = (await hears(socket, 3)).map(JSON.parse).map(({ event, data }) => [event, data]);
  assert.deepEqual(got, [["notification_received", { message: { _id: "p" } }], ...counts(2)]);
  socket.close();
  await server.until({ sockets: 0, online: 0 });

  const bad = new WebSocket(`${url}/ws?token=bad`);
  const [code] = await once(bad, "close");
  assert.equal(code, 4401);
});

test("a stopping server closes WebSockets with 1001 and ends held polls", async () => {
  const short = await Server.start();
  const raw = new WebSocket(`${short.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket&token=1`);
  await once(raw, "message");
  const closed = once(raw, "close");
  const socket = client({ transports: ["polling"], reconnection: false }, short.url);
  await event(socket, "connect");
  const left = event(socket, "disconnect");
  await short.stop();
  assert.equal((await closed)[0], 1001);
  // A poll that was just being sent is refused with 503 instead: "transport error".
  assert.match((await left)[0], /^transport (close|error)$/);
});
