// What many or hostile clients do to the live sockets: each kind is contained, logged once, and others do not notice.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { createRequire } from "node:module";
import { until } from "../compat/carillon.mjs";
import { inbox, listen } from "../compat/clients.mjs";
import { bell, raw, serve, trigger, workflow } from "./run.mjs";

const { WebSocket } = createRequire(new URL("../compat/package.json", import.meta.url))("ws");
const received = "notifications.notification_received";
const unread = "notifications.unread_count_changed";

let server, client, events;
before(async () => {
  server = await serve();
  await workflow(server, bell);
  client = inbox(server, "bystander");
  events = listen(client, received, unread);
  await events.connected;
});
after(() => client?.socket.disconnect());

const dropped = async (reason) => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(text.match(new RegExp(`carillon_sockets_dropped_total\\{reason="${reason}"\\} (\\d+)`))?.[1] ?? 0);
};
const lines = (reason) => server.log.split("\n").filter((line) => line.includes("live connections refused or ended") && line.includes(reason));
const rss = () => Number(readFileSync(`/proc/${server.child.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;

/** Somebody who has done nothing still gets a message and its counts over the socket opened at the start. */
let n = 0;
async function bystander() {
  const transactionId = `bystander-${++n}`;
  await trigger(server, "bell", "bystander", transactionId);
  let event;
  do event = (await events.next(received)).result;
  while (event.transactionId !== transactionId);
  await events.next(unread);
  assert.equal(client.socket.isConnected?.() ?? true, true);
}

async function session(subscriberId) {
  const { status, body } = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId },
  }, { key: null });
  assert.equal(status, 201);
  return body.data.token;
}

const ws = (token, query = "") => new WebSocket(`${server.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket&token=${token}${query}`);
/** A live socket that has been let in. */
async function live(token) {
  const socket = ws(token);
  await once(socket, "message");
  socket.send("40");
  const [answer] = await once(socket, "message");
  assert.match(String(answer), /^40/);
  return socket;
}
const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
function signed(header, claims, secret) {
  const head = `${base64(header)}.${base64(claims)}`;
  return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
}

test("forged, expired and borrowed tokens hear nothing, on either transport, and are one line of log", { timeout: 60000 }, async () => {
  const good = await session("victim");
  const [head, body, signature] = good.split(".");
  const claims = JSON.parse(Buffer.from(body, "base64url"));
  const secret = readFileSync(join(server.dir, "jwt.secret"));
  const forged = {
    none: `${base64({ alg: "none", typ: "JWT" })}.${body}.`,
    "another secret": signed({ alg: "HS256", typ: "JWT" }, claims, "guess"),
    "another body": `${head}.${base64({ ...claims, subscriberId: "somebody" })}.${signature}`,
    "no signature": `${head}.${body}`,
    expired: signed({ alg: "HS256", typ: "JWT" }, { ...claims, exp: Math.floor(Date.now() / 1000) - 1 }, String(secret).trim()),
    "another audience": signed({ alg: "HS256", typ: "JWT" }, { ...claims, aud: "other" }, String(secret).trim()),
    "a secret key": server.dev.secretKey,
    long: "x".repeat(8000),
    empty: "",
  };
  const before = await dropped("bad_token");
  for (const [name, token] of Object.entries(forged)) {
    const socket = ws(encodeURIComponent(token));
    const heard = [];
    socket.on("message", (data) => heard.push(String(data)));
    await once(socket, "message");
    socket.send("40");
    await until(() => heard.length >= 3, `the goodbye to ${name}`);
    assert.match(heard[1], /^40/);
    assert.equal(heard[2], "41", name);
    await trigger(server, "bell", "victim", `victim-${name}`, { text: "secret" });
    socket.send('421["still here?"]');         // whoever was told to go is not listened to
    await once(socket, "close");
    assert.ok(!heard.some((text) => text.includes("secret")), name);
    const plain = new WebSocket(`${server.url.replace("http", "ws")}/?token=${encodeURIComponent(token)}`);
    const [code] = await once(plain, "close");
    assert.equal(code, 4401, name);
  }
  assert.equal(await dropped("bad_token"), before + 2 * Object.keys(forged).length);
  assert.equal(lines("bad_token").length, 1);
  assert.doesNotMatch(server.log, /eyJ|xxxxxxxx/);
  // The good one is good.
  (await live(good)).close();
  await bystander();
});

test("malformed packets end their own connection only", { timeout: 60000 }, async () => {
  const token = await session("malformed");
  const texts = ["", "9", "4", "49", "4a", "42[", '42["a"', "42{}", "40{", '40/x,{"a"', "2", "5", "6", "0", "2probe", "\u0000", "4".repeat(60000),
    `42[${"[".repeat(20000)}`, `42["x",${"{\"a\":".repeat(5000)}1${"}".repeat(5000)}]`, "451-[{\"_placeholder\":true,\"num\":0}]"];
  for (const text of texts) {
    const socket = await live(token);
    const closed = once(socket, "close");
    socket.send(text);
    socket.send('421["after"]');
    // What is well-formed after all (deep JSON) is acknowledged; everything else ends the connection.
    const how = await Promise.race([closed.then(() => "closed"), once(socket, "message").then(([data]) => String(data))]);
    assert.ok(how === "closed" || /^43/.test(how), `${text.slice(0, 40)}: ${how}`);
    socket.terminate();
  }
  // Frames that are none: unmasked, reserved bits, reserved opcodes, fragmented control frames, lengths that lie.
  const frames = [[0x81, 0x01, 0x32], [0xf1, 0x80, 0, 0, 0, 0], [0x83, 0x80, 0, 0, 0, 0], [0x09, 0x80, 0, 0, 0, 0], [0x89, 0xfe, 0, 200, 0, 0, 0, 0],
    [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x34], [0x80, 0x80, 0, 0, 0, 0],
    [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe], [0x88, 0x81, 0, 0, 0, 0, 3]];
  for (const frame of frames) {
    const { socket, ended, text } = await raw(server.port);
    socket.write(`GET /socket.io/?EIO=4&transport=websocket&token=${token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    await until(() => text().includes('0{"sid"'), "the open packet");
    socket.write(Buffer.from(frame));
    await ended;
  }
  // The same over polling: acknowledged, and the session is gone.
  for (const text of ["9", "4\x1e\x1e", "42[", "b4AAAA", "\x1e"]) {
    const url = `${server.url}/socket.io/?EIO=4&transport=polling&token=${token}`;
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
    assert.equal((await fetch(`${url}&sid=${sid}`, { method: "POST", body: text })).status, 200);
    assert.equal((await fetch(`${url}&sid=${sid}`)).status, 400, JSON.stringify(text));
  }
  assert.equal(lines("parse_error").length, 1);
  await bystander();
});

test("who sends without end is cut off, with acknowledgements asked for or not", { timeout: 60000 }, async () => {
  const token = await session("flood");
  const before = await dropped("flood");
  const floods = [(socket) => socket.send('42["x"]'), (socket) => socket.send('421["x"]'), (socket) => socket.ping(), (socket) => socket.send("3")];
  for (const [i, send] of floods.entries()) {
    const socket = await live(token);
    let open = true;
    socket.on("error", () => {});
    const closed = once(socket, "close").then(() => (open = false));
    while (open) {
      for (let k = 0; k < 500 && open; k++) send(socket);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    assert.equal(await dropped("flood"), before + i + 1);
  }
  // Polling counts packets, however many a request carries.
  const url = `${server.url}/socket.io/?EIO=4&transport=polling&token=${token}`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  await fetch(`${url}&sid=${sid}`, { method: "POST", body: "40" });
  await fetch(`${url}&sid=${sid}`, { method: "POST", body: Array(3000).fill('42["x"]').join("\x1e") });
  await until(async () => (await fetch(`${url}&sid=${sid}`)).status === 400, "the end of the polling session");
  assert.equal(await dropped("flood"), before + floods.length + 1);
  assert.equal(lines("flood").length, 1);
  await bystander();
});

test("who never reads has a bounded buffer, then no connection", { timeout: 120000 }, async () => {
  const token = await session("deaf");
  const deaf = [];
  for (let i = 0; i < 20; i++) {
    const { socket, ended, text } = await raw(server.port);
    socket.write(`GET /?token=${token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    await until(() => text().includes("101"), "the handshake");
    socket.pause();
    deaf.push({ socket, ended });
  }
  const start = rss(), before = await dropped("slow");
  const text = "x".repeat(20000);
  let sent = 0;
  for (; sent < 400 && (await dropped("slow")) < before + deaf.length; sent++) await trigger(server, "bell", "deaf", `deaf-${sent}`, { text });
  assert.equal(await dropped("slow"), before + deaf.length, `after ${sent} messages of 20 kB`);
  // Twenty times a buffer would be 5 MB; twenty times everything that was sent is a hundred and more.
  assert.ok(rss() - start < 60, `${start.toFixed(1)} MB became ${rss().toFixed(1)}`);
  assert.equal(lines("slow").length, 1);
  for (const { socket } of deaf) socket.destroy();
  await bystander();
});

test("ten thousand connection attempts in about a second: strangers give way to each other, not to people", { timeout: 120000 }, async () => {
  const start = rss();
  const attempts = 10000;
  let open = 0, answered = 0;
  const sockets = [];
  const knock = (i) => new Promise((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () => {
      // One third asks to poll, one third for a WebSocket with a bad token, one third says nothing.
      if (i % 3 === 0) socket.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n");
      if (i % 3 === 1) socket.write("GET /socket.io/?EIO=4&transport=websocket&token=bad HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
      if (i % 3 === 2) setTimeout(() => socket.destroy(), 50);
      open++;
    });
    socket.on("data", () => { answered++; socket.destroy(); });
    socket.on("error", () => {});
    socket.on("close", resolve);
    sockets.push(socket);
  });
  const knocks = [];
  const watched = (async () => {
    for (let i = 0; i < 5; i++) await bystander();
  })();
  for (let i = 0; i < attempts; i++) {
    knocks.push(knock(i));
    if (i % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
  }
  await watched;
  const patience = setTimeout(() => sockets.forEach((socket) => socket.destroy()), 20000);
  await Promise.all(knocks);
  clearTimeout(patience);
  assert.ok(open > attempts * 0.9 && answered > attempts * 0.6, `${open} got through, ${answered} were answered`);
  // A new person gets in at once, and those who opened a polling session and left do not cost much.
  (await live(await session("late"))).close();
  assert.ok(rss() - start < 60, `${start.toFixed(1)} MB became ${rss().toFixed(1)}`);
  await bystander();
});

test("polling sessions without a token: the oldest go, and their number stays bounded", { timeout: 120000 }, async () => {
  const before = await dropped("stranger");
  const { socket, text } = await raw(server.port);
  // 7,000 on one connection, in portions.
  for (let i = 0; i < 70; i++) {
    socket.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100));
    await until(() => text().split('{"sid"').length > 100 * (i + 1), "the answers");
  }
  socket.destroy();
  assert.ok((await dropped("stranger")) - before >= 2000, `${await dropped("stranger")} were dropped`);
  const gauge = (await (await fetch(`${server.url}/metrics`)).text()).match(/carillon_sockets\{transport="polling"\} (\d+)/)[1];
  assert.ok(Number(gauge) <= 5000, `${gauge} sessions`);
  assert.equal(lines("stranger").length, 1);
  (await live(await session("latest"))).close();
  await bystander();
});

test("enormous filters are refused or answered, and hold nobody up", { timeout: 60000 }, async () => {
  const token = await session("bystander");
  const ask = (method, path, body) => server.call(method, path, body, { key: null, headers: { Authorization: `Bearer ${token}` } });
  const many = (count, make) => Array.from({ length: count }, (_, i) => make(i));
  const filters = encodeURIComponent(JSON.stringify(many(300, (i) => ({ tags: [`t${i}`] }))));
  const asked = [
    ask("GET", `/v1/inbox/notifications/count?filters=${filters}`),
    ask("GET", `/v1/inbox/notifications?limit=10&${many(1500, (i) => `tags[]=${i}`).join("&")}`),
    ask("GET", `/v1/inbox/notifications?limit=10&data=${encodeURIComponent(JSON.stringify(Object.fromEntries(many(400, (i) => [`k${i}`, i]))))}`),
    ask("GET", `/v1/inbox/notifications?limit=10&data=${"{\"a\":".repeat(2500)}1${"}".repeat(2500)}`),
    ask("POST", "/v1/inbox/notifications/read", { tags: many(200000, (i) => `t${i}`) }),
    ask("POST", "/v1/inbox/notifications/seen", { notificationIds: many(100000, (i) => i.toString(16).padStart(24, "0")) }),
    ask("POST", "/v1/inbox/notifications/read", { data: JSON.stringify(Object.fromEntries(many(50000, (i) => [`k${i}`, i]))) }),
  ];
  await bystander();
  for (const [i, { status }] of (await Promise.all(asked)).entries()) assert.ok(status < 500, `number ${i} answered ${status}`);
  await bystander();
});
