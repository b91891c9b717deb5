// What other tools rely on from the first day: first start, variables, health, drain, metrics, logs, locks.
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, until } from "./carillon.mjs";
import { api, order, orderShipped } from "./clients.mjs";

const dirs = [];
const scratch = () => {
  const dir = mkdtempSync(join(tmpdir(), "carillon-life-"));
  dirs.push(dir);
  return dir;
};
after(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

/** A server that ends with its test, also when the test fails. */
async function start(t, options) {
  const server = await Carillon.start(options);
  t.after(() => server.stop());
  return server;
}

test("the first start writes credentials that only the owner can read, and later starts keep them", async (t) => {
  const dir = scratch();
  const first = await start(t, { dir });
  const file = join(dir, "credentials.json");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(first.credentials.environments.map((e) => e.name), ["Development", "Production"]);
  for (const e of first.credentials.environments) {
    assert.match(e._id, /^[0-9a-f]{24}$/);
    assert.match(e.secretKey, /^[0-9a-f]{32}$/);
    assert.ok(e.applicationIdentifier.length >= 12);
  }
  const text = readFileSync(file, "utf8");
  assert.deepEqual(await first.stop(), { code: 0, signal: null });

  const second = await start(t, { dir });
  assert.equal(readFileSync(file, "utf8"), text);
  assert.equal((await second.call("GET", "/v2/workflows")).status, 200);
  await second.stop();
});

test("CARILLON_SECRET_KEY and CARILLON_APPLICATION_IDENTIFIER fix Development's at the first start", async (t) => {
  const env = { CARILLON_SECRET_KEY: "0123456789abcdef0123456789abcdef", CARILLON_APPLICATION_IDENTIFIER: "my-fixed-app" };
  const server = await start(t, { env });
  assert.equal(server.dev.secretKey, env.CARILLON_SECRET_KEY);
  assert.equal(server.dev.applicationIdentifier, "my-fixed-app");
  assert.notEqual(server.prod.secretKey, env.CARILLON_SECRET_KEY);
  await server.stop();
});

test("the health check needs no key and knows its parts", async (t) => {
  const server = await start(t);
  const response = await fetch(`${server.url}/v1/health-check`);
  assert.equal(response.status, 200);
  const { data } = await response.json();
  assert.equal(data.status, "ok");
  await server.stop();
});

test("metrics are Prometheus text with the promised names", async (t) => {
  const server = await start(t);
  const novu = api(server);
  await novu.workflows.create(orderShipped);
  await novu.trigger({ workflowId: "order-shipped", to: { subscriberId: "m", email: "m@example.com" }, payload: order, transactionId: "t-m" });
  await server.outbox("t-m");
  const response = await fetch(`${server.url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^text\/plain/);
  const text = await response.text();
  assert.match(text, /^carillon_messages_created_total\{[^}]*channel="in_app"[^}]*\} 1$/m);
  assert.match(text, /^carillon_messages_created_total\{[^}]*channel="email"[^}]*\} 1$/m);
  for (const line of text.trim().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) \S+ .+|[a-zA-Z_:][\w:]*(\{.*\})? (\+Inf|-?[0-9.e+-]+|NaN))$/, line);
  }
  for (const name of ["requests", "triggers", "runs", "deliver", "queue", "lateness", "sockets", "commit"]) {
    assert.match(text, new RegExp(`^# TYPE carillon_\\w*${name}`, "m"), name);
  }
  await server.stop();
});

test("logs are JSON when asked for, name the request, and hold no secret", async (t) => {
  const server = await start(t, { args: ["--log", "json"] });
  const novu = api(server);
  await novu.workflows.create(orderShipped);
  const session = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "s" },
  }, { key: null });
  await server.call("GET", "/v1/nothing?token=in-the-query");
  await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&token=${session.body.data.token}`);
  await server.stop();
  const lines = server.log.trim().split("\n");
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line), line);
  assert.ok(!server.log.includes(server.dev.secretKey), "the secret key is in the log");
  assert.ok(!server.log.includes(session.body.data.token), "a token is in the log");
  assert.ok(!server.log.includes("in-the-query"), "a query is in the log");
});

test("SIGTERM drains: what was accepted before is delivered or there after a restart", async (t) => {
  const dir = scratch();
  const server = await start(t, { dir });
  const novu = api(server);
  await novu.workflows.create(orderShipped);
  const accepted = [];
  let stopping = false;
  const clients = Array.from({ length: 8 }, async (_, c) => {
    for (let i = 0; !stopping; i++) {
      const transactionId = `t-${c}-${i}`;
      try {
        const { status } = await server.call("POST", "/v1/events/trigger", {
          name: "order-shipped", to: { subscriberId: `d-${c}`, email: `d${c}@example.com` }, payload: order, transactionId,
        });
        if (status === 201) accepted.push(transactionId);
        else assert.equal(status, 503);
      } catch {
        return; // the connection was refused or ended: the server is going
      }
    }
  });
  await until(() => accepted.length > 50, "some load");
  const stopped = server.stop();
  assert.deepEqual(await stopped, { code: 0, signal: null });
  stopping = true;
  await Promise.all(clients);

  const again = await start(t, { dir });
  await until(async () => {
    for (const id of accepted) {
      const { body } = await again.call("GET", `/v1/messages?transactionId=${id}&channel=in_app`);
      if (body.data.length !== 1) return false;
    }
    return true;
  }, "all accepted messages", 30000);
  await again.stop();
});

const refusal = async (options, pattern) => {
  const server = await new Carillon(options).launch();
  const { code } = await server.exited;
  assert.notEqual(code, 0);
  assert.match(server.log, pattern);
  assert.ok(server.log.trim().split("\n").length <= 3, `one clear error, not:\n${server.log}`);
};

test("a data directory in use, one that cannot be written, a taken port: one clear error each", async (t) => {
  const dir = scratch();
  const server = await start(t, { dir });
  await refusal({ dir }, /in use|locked/i);
  await refusal({ dir: scratch(), port: server.port }, /address|in use|listen/i);
  assert.equal((await server.call("GET", "/v2/workflows")).status, 200);
  await server.stop();

  const file = join(scratch(), "file");
  writeFileSync(file, "");
  await refusal({ dir: join(file, "below") }, /directory|not/i);
  if (process.getuid() !== 0) {
    const closed = scratch();
    chmodSync(closed, 0o500);
    await refusal({ dir: closed }, /permission|denied|writ/i);
  }
});

test("a database made by a newer program is refused and not touched", async (t) => {
  const dir = scratch();
  const server = await start(t, { dir });
  await server.stop();
  const { DatabaseSync } = await import("node:sqlite").catch(() => ({}));
  if (!DatabaseSync) return; // Node 20 has none
  const { readdirSync } = await import("node:fs");
  const file = readdirSync(dir).find((name) => /\.(db|sqlite\d?)$/.test(name));
  const db = new DatabaseSync(join(dir, file));
  const [{ name }] = db.prepare("SELECT name FROM sqlite_master WHERE name LIKE '%migration%' AND type = 'table'").all();
  const columns = db.prepare(`SELECT * FROM ${name} LIMIT 1`).all()[0];
  const keys = Object.keys(columns);
  db.prepare(`INSERT INTO ${name} (${keys.join()}) VALUES (${keys.map(() => "?").join()})`)
    .run(...keys.map((key) => (typeof columns[key] === "number" && /version|number|id/.test(key) ? 9999 : columns[key])));
  db.close();
  await refusal({ dir }, /newer/i);
});

test("a wrong command line is refused with the reason", async (t) => {
  await refusal({ args: ["--clock", "sundial"] }, /clock/);
  await refusal({ args: ["--no-such-flag"] }, /no-such-flag/);
});
