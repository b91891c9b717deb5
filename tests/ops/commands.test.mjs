// The other commands: trigger and keys.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../compat/carillon.mjs";
import { bell, run, scratch, serve, workflow } from "./run.mjs";

let server;
before(async () => {
  server = await serve();
  await workflow(server, bell);
});
after(() => server?.stop());
const failed = async (args, code, pattern, options) => {
  const how = await run(args, options);
  assert.equal(how.code, code, how.err);
  assert.match(how.err, pattern);
  assert.equal(how.err.trim().split("\n").length, 1, how.err);
  return how;
};

test("trigger: by the data directory, by variables, by flags", async () => {
  const payload = JSON.stringify({ text: "from the command line" });
  const by = [
    [["--url", server.url, "--data-dir", server.dir], {}],
    [[], { CARILLON_URL: server.url, CARILLON_SECRET_KEY: server.dev.secretKey }],
    [["--url", server.url, "--secret-key", server.dev.secretKey], { CARILLON_URL: "http://127.0.0.1:1", CARILLON_SECRET_KEY: "wrong" }],
  ];
  for (const [i, [args, env]] of by.entries()) {
    const { code, out, err } = await run(["trigger", "bell", "--to", "ada", "--payload", payload, "--transaction-id", `t-${i}`, ...args], { env });
    assert.equal(code, 0, err);
    assert.equal(JSON.parse(out).data.transactionId, `t-${i}`);
    assert.equal((await server.call("GET", `/v1/messages?transactionId=t-${i}`)).body.data.length, 1);
  }
});

test("trigger: what is wrong is one line", async () => {
  const here = ["--url", server.url, "--secret-key", server.dev.secretKey];
  const empty = scratch();
  await failed(["trigger"], 2, /Usage: carillon trigger/);
  await failed(["trigger", "bell"], 2, /Usage/);
  await failed(["trigger", "bell", "two", "--to", "ada"], 2, /Unexpected argument 'two'/);
  await failed(["trigger", "bell", "--to"], 2, /--to needs a value/);
  await failed(["trigger", "bell", "--to", "ada", "--loud", "1"], 2, /Unknown option '--loud'/);
  await failed(["trigger", "bell", "--to", "ada", "--payload", "{", ...here], 2, /--payload must be a JSON object/);
  await failed(["trigger", "bell", "--to", "ada", "--payload", "[]", ...here], 2, /--payload must be a JSON object/);
  await failed(["trigger", "bell", "--to", "ada"], 1, /No secret key/, { cwd: empty });
  await failed(["trigger", "bell", "--to", "ada", "--data-dir", join(empty, "none")], 1, /No secret key/);
  const nobody = await failed(["trigger", "bell", "--to", "ada", "--url", `http://127.0.0.1:${await freePort()}`, "--secret-key", "canary-key"], 1, /127\.0\.0\.1/);
  assert.ok(!nobody.err.includes("canary"));
  await failed(["trigger", "bell", "--to", "ada", "--url", "file:///etc/passwd", "--secret-key", "k"], 1, /file:/);
  await failed(["trigger", "none", "--to", "ada", ...here], 1, /the server answered 422/);
  const wrong = await failed(["trigger", "bell", "--to", "ada", "--url", server.url, "--secret-key", "canary-key"], 1, /the server answered 401/);
  assert.ok(!(wrong.out + wrong.err).includes("canary"));
});

test("keys: shows what credentials.json says, or why it cannot", async () => {
  const { code, out } = await run(["keys", "--data-dir", server.dir]);
  assert.equal(code, 0);
  for (const e of server.credentials.environments) {
    for (const text of [e.name, e.applicationIdentifier, e.secretKey]) assert.ok(out.includes(text), text);
  }
  const byVariable = await run(["keys"], { env: { CARILLON_DATA_DIR: server.dir } });
  assert.equal(byVariable.out, out);
  const dir = scratch();
  await failed(["keys", "--data-dir", dir], 1, /Cannot read .*credentials\.json: No such file/);
  writeFileSync(join(dir, "credentials.json"), "{");
  await failed(["keys", "--data-dir", dir], 1, /credentials\.json/);
  writeFileSync(join(dir, "credentials.json"), "[]");
  await failed(["keys", "--data-dir", dir], 1, /credentials\.json/);
  mkdirSync(join(dir, "sub", "credentials.json"), { recursive: true });
  await failed(["keys", "--data-dir", join(dir, "sub")], 1, /Cannot read .*Is a directory/);
  await failed(["keys", "--nonsense"], 2, /Unknown option/);
});
