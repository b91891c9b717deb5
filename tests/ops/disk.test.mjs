// A full disk: nothing is acknowledged that is not kept, reads go on, and it recovers by itself.
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { until } from "../compat/carillon.mjs";
import { bell, refused, scratch, serve, trigger, workflow } from "./run.mjs";

/** Two small file systems; undefined where that is not allowed. */
function smallDisk(t) {
  const dir = scratch();
  try {
    if (process.getuid() !== 0) throw new Error();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", dir], { stdio: "ignore" });
  } catch {
    t.skip("not allowed to mount a small file system");
    return undefined;
  }
  t.after(() => execFileSync("umount", ["-l", dir]));
  return dir;
}

function fill(dir) {
  const file = openSync(join(dir, "ballast"), "w");
  for (let chunk = Buffer.alloc(65536); chunk.length; ) {
    try {
      writeSync(file, chunk);
    } catch {
      chunk = chunk.subarray(0, chunk.length >> 1);
    }
  }
  closeSync(file);
}

const health = async (server) => (await fetch(`${server.url}/v1/health-check`)).status;

/** Triggers until one is refused; what was accepted and what was not. */
async function untilRefused(server, prefix) {
  const accepted = [];
  for (let i = 0; i < 5000; i++) {
    const batch = await Promise.all([0, 1, 2, 3].map(async (k) => {
      const id = `${prefix}-${i}-${k}`;
      return { id, ...(await trigger(server, "bell", `s${k}`, id, { text: "x".repeat(2000) })) };
    }));
    accepted.push(...batch.filter((r) => r.status === 201).map((r) => r.id));
    const no = batch.find((r) => r.status !== 201);
    if (no) return { accepted, refused: batch.filter((r) => r.status !== 201).map((r) => r.id), no };
  }
  throw new Error("the disk never got full");
}

async function checkMessages(server, accepted, refusedIds) {
  for (const id of accepted) assert.equal((await server.call("GET", `/v1/messages?transactionId=${id}`)).body.data.length, 1, `${id} was acknowledged`);
  for (const id of refusedIds) assert.equal((await server.call("GET", `/v1/messages?transactionId=${id}`)).body.data.length, 0, `${id} was refused`);
}

async function fullDisk(server, full, room, pattern) {
  await workflow(server, bell);
  assert.equal((await trigger(server, "bell", "ada", "t-before")).status, 201);
  full();
  const first = await untilRefused(server, "t-one");
  assert.equal(first.no.status, 503, first.no.text);
  assert.match(first.no.body.message, pattern);
  assert.ok(Number(first.no.headers.get("retry-after")) > 0);
  // Refused still, with the reason; other writes too. Big ones: something small (the server's own log of requests is) may find
  // a place where a bigger one did not, and then the store counts as writable until the next one fails.
  const big = "x".repeat(400_000);
  await until(async () => {
    await trigger(server, "bell", "ada", "t-refused", { text: big });
    return (await health(server)) === 503;
  }, "an unhealthy answer");
  const next = await trigger(server, "bell", "ada", "t-refused", { text: big });
  assert.equal(next.status, 503);
  assert.match(next.body.message, pattern);
  const other = await server.call("POST", "/v2/subscribers", { subscriberId: "new", data: { big } });
  assert.equal(other.status, 503, other.text);
  // Reads go on.
  assert.equal((await server.call("GET", "/v1/messages?transactionId=t-before")).body.data.length, 1);
  assert.equal((await server.call("GET", "/v2/workflows")).status, 200);
  assert.equal((await fetch(`${server.url}/metrics`)).status, 200);
  assert.equal((await server.call("GET", "/v2/subscribers")).status, 200);
  assert.match(server.log, /error store_not_writable/);
  room();
  await until(async () => (await health(server)) === 200, "recovery");
  assert.match(server.log, /store_writable_again/);
  assert.equal((await trigger(server, "bell", "ada", "t-after")).status, 201);
  assert.equal((await server.call("POST", "/v2/subscribers", { subscriberId: "new" })).status, 201);
  await checkMessages(server, ["t-before", "t-after", ...first.accepted], ["t-refused", ...first.refused]);
  return first;
}

test("the disk of the data directory is full", async (t) => {
  const disk = smallDisk(t);
  if (!disk) return;
  const dir = join(disk, "data");
  let server = await serve({ dir });
  const room = () => rmSync(join(disk, "ballast"));
  const { accepted } = await fullDisk(server, () => fill(disk), room, /disk .*full|cannot be written/i);

  fill(disk);
  const again = await untilRefused(server, "t-two");
  assert.deepEqual(await server.stop({ keep: true }), { code: 0, signal: null }, "it can still be stopped");
  room();
  server = await serve({ dir });
  await checkMessages(server, [...accepted, ...again.accepted], again.refused);
  await server.stop({ keep: true });
});

test("a first start on a full disk is refused with the reason", async (t) => {
  const disk = smallDisk(t);
  if (!disk) return;
  mkdirSync(join(disk, "data"), { mode: 0o700 });
  fill(disk);
  await refused(["--data-dir", join(disk, "data"), "--listen", "127.0.0.1:0"], /full|No space left/);
  rmSync(join(disk, "ballast"));
  const server = await serve({ dir: join(disk, "data") });
  assert.equal((await server.call("GET", "/v2/workflows")).status, 200);
  await server.stop({ keep: true });
});

test("a limit on the size of files is an error, not the end of the process", async () => {
  const dir = scratch();
  const server = await serve({ dir });
  const limit = (bytes) => execFileSync("prlimit", ["--pid", String(server.child.pid), `--fsize=${bytes}:`]);
  writeFileSync(join(dir, "other"), "");
  await fullDisk(server, () => limit(statSync(join(dir, "carillon.db-wal")).size + 300_000), () => limit("unlimited"), /disk .*full|cannot be written/i);
  await server.stop();
});
