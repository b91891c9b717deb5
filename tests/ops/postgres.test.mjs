// PostgreSQL as the store: end to end, two nodes, and the ways in which it cannot be used.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { freePort, until } from "../compat/carillon.mjs";
import { startPostgres } from "../compat/postgres.mjs";
import { bell, mail, refused, scratch, serve, trigger, workflow } from "./run.mjs";

let pg;
before(async () => {
  pg = await startPostgres();
});
after(() => pg?.stop());
const at = (database, userinfo = "carillon") => pg.url.replace("//carillon@", `//${userinfo}@`).replace(/[^/]+$/, database);
const psql = (sql, database = "postgres") => execFileSync("psql", ["-X", "-q", "-t", "-A", "-d", at(database), "-c", sql], { encoding: "utf8" }).trim();
function database(name) {
  psql(`CREATE DATABASE ${name}`);
  return at(name);
}
const flags = (url, dir = scratch()) => ["--data-dir", dir, "--listen", "127.0.0.1:0", "--database-url", url];

test("a trigger's message is there, with nothing in the data directory but secrets and who was here, also after a restart", async () => {
  const dir = scratch();
  const url = database("whole");
  const server = await serve({ dir, env: { CARILLON_DATABASE_URL: url } });
  await workflow(server, bell);
  await workflow(server, mail);
  const waits = server.call("GET", "/v1/outbox/wait?transactionId=t-mail&timeout=30");
  const ada = { subscriberId: "ada", email: "ada@example.com" };
  assert.equal((await trigger(server, "bell", ada, "t-bell")).status, 201);
  assert.equal((await trigger(server, "mail", ada, "t-mail")).status, 201);
  assert.equal((await waits).body.data.to, "ada@example.com");
  const messages = async (s) => (await s.call("GET", "/v1/messages?transactionId=t-bell")).body.data;
  assert.equal((await messages(server)).length, 1);
  const { body } = await server.call("GET", "/v1/notifications?transactionId=t-bell");
  assert.equal(body.data[0].jobs[0].status, "completed");
  assert.match(await (await fetch(`${server.url}/metrics`)).text(), /^carillon_queue_items\{state="pending"\} 0$/m);
  const { environments } = server.credentials;
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(readdirSync(dir).sort(), ["credentials.json", "encryption.secret", "jwt.secret", "node"]);

  const again = await serve({ dir, env: { CARILLON_DATABASE_URL: url } });
  assert.deepEqual(again.credentials.environments, environments);
  assert.equal((await messages(again)).length, 1);
  await again.stop();
});

test("two nodes share a database: what one stores the other's clients wait for", async () => {
  const url = database("shared");
  const [a, b] = [scratch(), scratch()];
  const one = await serve({ dir: a, env: { CARILLON_DATABASE_URL: url } });
  await refused(flags(url, b), /encryption\.secret is missing.*copy it from another/);
  assert.deepEqual(readdirSync(b), []);
  for (const name of ["encryption.secret", "jwt.secret"]) copyFileSync(join(a, name), join(b, name));
  const two = await serve({ dir: b, env: { CARILLON_DATABASE_URL: url } });
  assert.deepEqual(two.credentials, one.credentials);
  await workflow(one, mail);
  const waits = two.call("GET", "/v1/outbox/wait?to=bob@example.com&timeout=30");
  assert.equal((await trigger(one, "mail", { subscriberId: "bob", email: "bob@example.com" }, "t-two")).status, 201);
  const { status, body } = await waits;
  assert.equal(status, 200);
  assert.equal(body.data.transactionId, "t-two");
  await one.stop();
  assert.equal((await trigger(two, "mail", { subscriberId: "bob", email: "bob@example.com" }, "t-three")).status, 201);
  await two.stop();
});

test("a server that is not there, a wrong password, a database that is missing: the reason, and never the password", async () => {
  const dir = scratch();
  const closed = await freePort();
  const cases = [
    [`postgres://u:canary-password@127.0.0.1:${closed}/d`, /Cannot connect to PostgreSQL: .*refused/],
    [at("missing", "carillon:canary-password"), /Cannot connect to PostgreSQL: .*"missing" does not exist/],
    [at("postgres", "nobody:canary-password"), /Cannot connect to PostgreSQL: .*nobody/],
    ["postgres://u:canary-password@127.0.0.1:port/d", /invalid integer value "port"/],
    ["postgres://u:canary-password@[::1/d", /not a valid PostgreSQL connection URI/],
    ["postgres://u:canary-password@no-such-host.invalid/d", /Cannot connect to PostgreSQL: /],
  ];
  // Passwords are asked for from here on.
  psql("CREATE ROLE guarded LOGIN PASSWORD 'right-password'");
  const hba = psql("SHOW hba_file");
  execFileSync("sed", ["-i", "1i host all guarded 127.0.0.1/32 scram-sha-256", hba]);
  psql("SELECT pg_reload_conf()");
  cases.push([at("postgres", "guarded:canary-password"), /Cannot connect to PostgreSQL: .*password authentication failed/]);
  for (const [url, pattern] of cases) {
    const how = await refused(flags(url, dir), pattern);
    assert.ok(!how.err.includes("canary"), how.err);
    const byVariable = await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], pattern, { env: { CARILLON_DATABASE_URL: url } });
    assert.ok(!byVariable.err.includes("canary"), byVariable.err);
  }
  assert.ok(!existsSync(join(dir, "credentials.json")));
  assert.deepEqual(readdirSync(dir), []);
});

test("a database made by a newer program, and one of somebody else's", async () => {
  const url = database("newer");
  const dir = scratch();
  await (await serve({ dir, env: { CARILLON_DATABASE_URL: url } })).stop();
  psql("INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, 'future', 0)", "newer");
  await refused(flags(url, dir), /version 9999.*newer/);
  assert.equal(psql("SELECT max(version) FROM schema_migrations", "newer"), "9999");

  const other = database("other");
  psql("CREATE TABLE organizations (id integer); INSERT INTO organizations VALUES (1)", "other");
  const before = psql("SELECT count(*) FROM information_schema.tables", "other");
  const how = await refused(flags(other), /./);
  assert.ok(how.code !== 0);
  assert.equal(psql("SELECT count(*) FROM information_schema.tables", "other"), before, "nothing was made there");
});

test("a database that goes away and comes back: 503 meanwhile, nothing acknowledged is lost", async () => {
  // A door in front of the database that can be shut.
  const target = new URL(pg.url).port;
  const { connect } = await import("node:net");
  const pairs = new Set();
  let shut = false;
  const door = createServer((client) => {
    if (shut) return void client.destroy();
    const upstream = connect(Number(target), "127.0.0.1");
    for (const [x, y] of [[client, upstream], [upstream, client]]) {
      x.on("error", () => {});
      x.on("close", () => y.destroy());
      x.pipe(y);
      pairs.add(x);
    }
  }).listen(0, "127.0.0.1");
  await once(door, "listening");
  door.unref();
  const url = database("door").replace(`:${target}/`, `:${door.address().port}/`);
  const server = await serve({ env: { CARILLON_DATABASE_URL: url } });
  await workflow(server, bell);
  assert.equal((await trigger(server, "bell", "ada", "t-one")).status, 201);
  shut = true;
  pairs.forEach((socket) => socket.destroy());
  const gone = await trigger(server, "bell", "ada", "t-gone");
  assert.equal(gone.status, 503, gone.text);
  await until(async () => (await fetch(`${server.url}/v1/health-check`)).status === 503, "it knows");
  assert.ok(!gone.text.includes("postgres://"));
  shut = false;
  await until(async () => (await fetch(`${server.url}/v1/health-check`)).status === 200, "it is back", 30000);
  assert.equal((await until(async () => {
    const r = await trigger(server, "bell", "ada", "t-back");
    return r.status === 201 && r;
  }, "a trigger")).status, 201);
  const count = async (id) => (await server.call("GET", `/v1/messages?transactionId=${id}`)).body.data.length;
  assert.equal(await count("t-one"), 1);
  assert.equal(await count("t-back"), 1);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  door.close();
});
