// The first start, the later ones, and data directories that cannot be used.
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bell, refused, scratch, serve, workflow } from "./run.mjs";

const everything = (dir) => readdirSync(dir).sort().map((name) => [name, statSync(join(dir, name)).isFile() ? readFileSync(join(dir, name), "base64") : ""]);
const sqlite = (file, sql) =>
  execFileSync("python3", ["-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()", file, sql]);

test("the first start makes the directory for its owner, and credentials in exactly the promised shape", async () => {
  const dir = join(scratch(), "data");
  const server = await serve({ dir });
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  for (const name of readdirSync(dir)) assert.equal(statSync(join(dir, name)).mode & 0o077, 0, `${name} is for its owner only`);
  assert.equal(statSync(join(dir, "credentials.json")).mode & 0o777, 0o600);
  assert.deepEqual(Object.keys(server.credentials), ["environments"]);
  assert.deepEqual(server.credentials.environments.map((e) => e.name), ["Development", "Production"]);
  for (const e of server.credentials.environments) {
    assert.deepEqual(Object.keys(e), ["name", "_id", "applicationIdentifier", "secretKey"]);
    assert.match(e._id, /^[0-9a-f]{24}$/);
    assert.match(e.applicationIdentifier, /^[0-9A-Za-z]{12}$/);
    assert.match(e.secretKey, /^[0-9a-f]{32}$/);
  }
  await server.stop();
});

test("later starts keep everything, and write credentials.json again when it is gone or open to others", async () => {
  const dir = scratch();
  const file = join(dir, "credentials.json");
  const first = await serve({ dir });
  await workflow(first, bell);
  const text = readFileSync(file, "utf8");
  await first.stop();

  rmSync(file);
  const second = await serve({ dir });
  assert.equal(readFileSync(file, "utf8"), text);
  assert.equal((await second.call("GET", "/v2/workflows/bell")).status, 200);
  await second.stop();

  chmodSync(file, 0o644);
  const third = await serve({ dir, env: { CARILLON_SECRET_KEY: "another-key-than-at-first" } });
  assert.equal(readFileSync(file, "utf8"), text, "a key given later changes nothing");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal((await third.call("GET", "/v2/workflows", undefined, { key: "another-key-than-at-first" })).status, 401);
  await third.stop();
});

test("keys and identifiers of one's own fix Development's at the first start", async () => {
  const env = { CARILLON_SECRET_KEY: "sk.!~" + "k".repeat(251), CARILLON_APPLICATION_IDENTIFIER: "My_app-1" };
  const server = await serve({ env });
  assert.equal(server.dev.secretKey, env.CARILLON_SECRET_KEY);
  assert.equal(server.dev.applicationIdentifier, "My_app-1");
  assert.equal((await server.call("GET", "/v2/workflows")).status, 200);
  assert.notEqual(server.prod.secretKey, env.CARILLON_SECRET_KEY);
  await server.stop();
});

test("a data directory that cannot be one", async () => {
  const dir = scratch();
  const file = join(dir, "file");
  writeFileSync(file, "mine");
  await refused(["--data-dir", join(dir, "missing", "deeper")], /Cannot create the data directory .*No such file or directory/);
  await refused(["--data-dir", file], /is not a directory/);
  await refused(["--data-dir", join(file, "below")], /Not a directory/);
  assert.equal(readFileSync(file, "utf8"), "mine");
  assert.deepEqual(readdirSync(dir), ["file"]);
});

test("a data directory that cannot be written", async (t) => {
  const dir = scratch();
  let open = () => chmodSync(dir, 0o700);
  chmodSync(dir, 0o500);
  if (process.getuid() === 0) {
    // Modes mean nothing to root: a read-only mount does.
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", dir], { stdio: "ignore" });
    } catch {
      t.skip("root, and not allowed to mount");
      return;
    }
    open = () => execFileSync("umount", [dir]);
  }
  try {
    await refused(["--data-dir", dir], /not writable: (Permission denied|Read-only file system)/);
    await refused(["--data-dir", join(dir, "below")], /Cannot create the data directory/);
  } finally {
    open();
  }
});

test("a data directory that another carillon uses: its process is named, and it goes on", async () => {
  const dir = scratch();
  const server = await serve({ dir });
  const how = await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], /in use by another process \(pid \d+\)/);
  assert.ok(how.err.includes(`pid ${server.child.pid}`), how.err);
  assert.equal((await server.call("GET", "/v2/workflows")).status, 200);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test("a database made by a newer program is left alone", async () => {
  const dir = scratch();
  await (await serve({ dir })).stop();
  const file = join(dir, "carillon.db");
  sqlite(file, "INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, 'future', 0);");
  const before = readFileSync(file);
  await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], /version 9999.*newer/);
  assert.ok(before.equals(readFileSync(file)));
  sqlite(file, "DELETE FROM schema_migrations WHERE version = 9999;");
  await (await serve({ dir })).stop();
});

test("a damaged database file is named, and left alone", async () => {
  const dir = scratch();
  const file = join(dir, "carillon.db");
  writeFileSync(file, "this is no database, but it may be somebody's only copy of something\n".repeat(100));
  const before = readFileSync(file);
  await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], /carillon\.db is damaged .*restore a backup/);
  assert.ok(before.equals(readFileSync(file)));
  assert.ok(!existsSync(join(dir, "credentials.json")));

  const torn = scratch();
  await (await serve({ dir: torn })).stop();
  const bytes = readFileSync(join(torn, "carillon.db"));
  bytes.fill(0x5a, 100, 20000); // the schema's page and what follows
  writeFileSync(join(torn, "carillon.db"), bytes);
  await refused(["--data-dir", torn, "--listen", "127.0.0.1:0"], /damaged/);
  assert.ok(bytes.equals(readFileSync(join(torn, "carillon.db"))));
});

test("secret files that cannot be read, or are no secrets", async () => {
  for (const name of ["jwt.secret", "encryption.secret"]) {
    const dir = scratch();
    mkdirSync(join(dir, name));
    await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], new RegExp(`Cannot read .*${name}: Is a directory`));
    rmSync(join(dir, name), { recursive: true });
    writeFileSync(join(dir, name), "short\n");
    await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], new RegExp(`${name} is too short`));
    writeFileSync(join(dir, name), "x".repeat(5000));
    await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], new RegExp(`${name} is longer than`));
    if (process.getuid() !== 0) {
      writeFileSync(join(dir, name), "x".repeat(64));
      chmodSync(join(dir, name), 0);
      await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], new RegExp(`Cannot read .*${name}: Permission denied`));
    }
  }
});

test("a lost or a wrong encryption key is noticed, and no new one takes its place", async () => {
  const dir = scratch();
  await (await serve({ dir })).stop();
  const secret = readFileSync(join(dir, "encryption.secret"));
  rmSync(join(dir, "encryption.secret"));
  const before = everything(dir);
  await refused(["--data-dir", dir, "--listen", "127.0.0.1:0"], /encryption\.secret is missing.*restore/);
  assert.ok(!existsSync(join(dir, "encryption.secret")));
  assert.deepEqual(everything(dir).map(([name]) => name), before.map(([name]) => name));
  await refused(["--data-dir", dir, "--listen", "127.0.0.1:0", "--encryption-key", "not-the-one-that-it-was"], /not the one that this store was sealed with/);
  writeFileSync(join(dir, "encryption.secret"), secret, { mode: 0o600 });
  const server = await serve({ dir });
  assert.equal((await server.call("GET", "/v2/workflows")).status, 200);
  await server.stop();
});

test("secrets given as settings leave no files, and a shared file is warned about", async () => {
  const server = await serve({ env: { JWT_SECRET: "a-secret-for-tokens", STORE_ENCRYPTION_KEY: "a-key-for-credentials" } });
  assert.ok(!existsSync(join(server.dir, "jwt.secret")));
  assert.ok(!existsSync(join(server.dir, "encryption.secret")));
  await server.stop();
  const dir = scratch();
  writeFileSync(join(dir, "jwt.secret"), "x".repeat(64), { mode: 0o644 });
  const open = await serve({ dir });
  assert.match(open.log, /warn a secret can be read by other users/);
  await open.stop();
});
