// Every setting: its flag, its variable, and what is said about a bad value.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { freePort } from "../compat/carillon.mjs";
import { refused, root, run, scratch, serve } from "./run.mjs";

// setting → bad values. Secrets must not be repeated.
const bad = {
  "data-dir": [""],
  listen: ["3000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "::1:3000x", "http://127.0.0.1:3000",
           "127.0.0.1:3000,nonsense", "", ",", Array(9).fill("127.0.0.1:0").join()],
  "database-url": ["mysql://u:canary-password@h/d", "canary-password", "sqlite:/x"],
  clock: ["sundial", "Real", "", "real|virtual"],
  log: ["xml", ""],
  "log-level": ["loud", ""],
  "public-url": ["example.com", "ftp://example.com", "http://", "http://a b", "https://ex ample.com/x", "http://h:port"],
  "context-path": ["/a b", "/a?b", "/ä", "x".repeat(300)],
  "secret-key": ["canary-short", "canary with blanks in it", "canary-ümlaut-in-the-key", "canary".repeat(50)],
  "application-identifier": ["abc", "with blank", "x".repeat(64), "a/b/c/d"],
  "jwt-secret": ["canary-short"],
  "encryption-key": ["canary-short"],
  "delivery-sink": ["127.0.0.1:9", "http://127.0.0.1:9/path", "ftp://h", "http://"],
  "capture-deliveries": ["maybe", ""],
  "metrics-token": ["canary token", ""],
  origins: ["example.com", "https://a.example,b.example", Array(17).fill("https://a.example").join()],
  "defer-hours-max": ["-1", "many", ""],
  "recipients-max": ["-1", "1000001", "many", ""],
  "workflows-max": ["-1", "1000001", "many", ""],
  "retention-days": ["-1", "1000001", "many", ""],
  "retention-in-app-days": ["-1", "1000001", "many", ""],
  "rate-limit": ["maybe", ""],
  "service-level": ["gold", ""],
  "outbound-allow": ["not a network"],
  workers: ["-1", "65", "many", "1.5", ""],
  loops: ["-1", "9", "0x2", ""],
  demo: ["perhaps"],
  keyless: ["perhaps", ""],
  "snooze-hours-max": ["-1", "many", ""],
};
const variable = (flag) => `CARILLON_${flag.replaceAll("-", "_").toUpperCase()}`;

test("the table of the program names the settings that are tested here", async () => {
  const { out, code } = await run(["config"]);
  assert.equal(code, 0);
  const rows = [...out.matchAll(/^\| `--([a-z-]+)` \| `(CARILLON_\w+)`/gm)];
  assert.deepEqual(rows.map(([, flag]) => flag).sort(), Object.keys(bad).sort());
  for (const [, flag, name] of rows) assert.equal(name, variable(flag));
});

for (const [flag, values] of Object.entries(bad)) {
  test(`bad values of --${flag} and ${variable(flag)}`, async () => {
    const cwd = scratch();
    for (const value of values) {
      const how = await refused([`--${flag}=${value}`], new RegExp(`--${flag}`), { cwd });
      assert.equal(how.code, 2);
      assert.ok(!how.err.includes("canary"), `a secret is repeated: ${how.err}`);
      // An empty variable is as good as none.
      if (value) {
        const named = await refused([], new RegExp(flag === "listen" ? "LISTEN|listen" : variable(flag)), { cwd, env: { [variable(flag)]: value } });
        assert.equal(named.code, 2);
        assert.ok(!named.err.includes("canary"), `a secret is repeated: ${named.err}`);
      }
    }
    assert.deepEqual(readdirSync(cwd), [], "nothing was made");
  });
}

test("bad command lines", async () => {
  const cwd = scratch();
  await refused(["--no-such-flag"], /Unknown option '--no-such-flag'/, { cwd });
  await refused(["--no-such-flag=1"], /Unknown option '--no-such-flag'/, { cwd });
  await refused(["surplus"], /Unexpected argument 'surplus'/, { cwd });
  await refused(["-x"], /Unexpected argument '-x'/, { cwd });
  await refused(["--listen"], /--listen needs a value/, { cwd });
  await refused(["--data-dir", "--log"], /--data-dir needs a value/, { cwd });
  await refused(["--"], /Unknown option '--'/, { cwd });
  await refused([], /PORT must be a number/, { cwd, env: { PORT: "http" } });
  await refused([], /JWT_SECRET must be/, { cwd, env: { JWT_SECRET: "short" } });
  await refused([], /API_ROOT_URL must be/, { cwd, env: { API_ROOT_URL: "nowhere" } });
  const unknown = await run(["dance"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /Unknown command 'dance'/);
  assert.deepEqual(readdirSync(cwd), []);
  for (const args of [["help"], ["--help"], ["-h"], ["serve", "--help"], ["trigger", "--help"], ["keys", "-h"]]) {
    const { code, out } = await run(args);
    assert.equal(code, 0, args.join(" "));
    assert.match(out, /--data-dir/);
  }
  assert.match((await run(["version"])).out, /^carillon \d+\.\d+\.\d+\n$/);
});

test("what a variable sets, its flag sets too, and the flag wins", async () => {
  const [one, two] = [await freePort(), await freePort()];
  const settings = (port, dir) => ({
    "data-dir": dir, listen: `127.0.0.1:${port}`, clock: "virtual", log: "json", "log-level": "debug", "public-url": "https://n.example/x/",
    "context-path": "/notify", "secret-key": "0123456789abcdef-flag", "application-identifier": "flag-app", "jwt-secret": "0123456789abcdef-jwt",
    "encryption-key": "0123456789abcdef-enc", "delivery-sink": "http://127.0.0.1:9", "capture-deliveries": "on", "metrics-token": "m-token",
    origins: "https://a.example, https://b.example", workers: "1", loops: "1", demo: "on",
  });
  const check = async (server, port) => {
    const url = `http://127.0.0.1:${port}`;
    assert.equal(server.dev.secretKey, "0123456789abcdef-flag");
    assert.equal(server.dev.applicationIdentifier, "flag-app");
    const auth = { Authorization: "ApiKey 0123456789abcdef-flag" };
    assert.equal((await fetch(`${url}/notify/v1/testing/clock`, { headers: auth })).status, 200);
    assert.equal((await fetch(`${url}/metrics`)).status, 401);
    assert.equal((await fetch(`${url}/metrics`, { headers: { Authorization: "Bearer m-token" } })).status, 200);
    assert.equal((await fetch(`${url}/metrics`, { headers: { Authorization: "Bearer m-tokem" } })).status, 401);
    const cors = await fetch(`${url}/v2/workflows`, { headers: { ...auth, Origin: "https://b.example" } });
    assert.equal(cors.headers.get("access-control-allow-origin"), "https://b.example");
    const demo = await (await fetch(`${url}/demo/config.json`)).json();
    assert.match(demo.data.curl, /https:\/\/n\.example\/x\/v1\//);
    for (const line of server.log.trim().split("\n")) assert.doesNotThrow(() => JSON.parse(line), line);
    assert.match(server.log, /"level":"debug"/);
  };
  const byFlag = await serve({
    port: one,
    dir: scratch(),
    env: { CARILLON_LISTEN: "127.0.0.1:1", CARILLON_CLOCK: "real", CARILLON_LOG: "text", CARILLON_DEMO: "off", CARILLON_METRICS_TOKEN: "other" },
    args: Object.entries(settings(one, scratch())).flatMap(([flag, value]) => (flag === "data-dir" ? [] : [`--${flag}`, value])),
  });
  await check(byFlag, one);
  await byFlag.stop();
  const dir = scratch();
  const byVariable = await serve({
    port: two, dir, env: Object.fromEntries(Object.entries(settings(two, dir)).map(([flag, value]) => [variable(flag), value])),
  });
  await check(byVariable, two);
  await byVariable.stop();
});

test("switches take the words that people use, and stand alone as flags", async () => {
  for (const [args, env, on] of [[["--demo"], {}, true], [["--demo", "off"], {}, false], [[], { CARILLON_DEMO: "true" }, true], [[], { CARILLON_DEMO: "0" }, false]]) {
    const server = await serve({ args, env });
    assert.equal((await fetch(`${server.url}/demo/config.json`)).status, on ? 200 : 404);
    await server.stop();
  }
});

test("several addresses, IPv6 among them, and a context path", async (t) => {
  const [a, b, c] = [await freePort(), await freePort(), await freePort()];
  const six = Object.values(networkInterfaces()).flat().some((i) => i.address === "::1");
  const server = await serve({
    port: a, env: { CARILLON_LISTEN: `127.0.0.1:${a}, localhost:${b}${six ? `,[::1]:${c}` : ""}` },
  });
  assert.equal((await fetch(`http://localhost:${b}/v1/health-check`)).status, 200);
  if (six) assert.equal((await fetch(`http://[::1]:${c}/v1/health-check`)).status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${a}/metrics`)).status, 200, "loopback only: open");
  await server.stop();
  if (!six) {
    t.diagnostic("no IPv6 here");
    return;
  }
  const only = await serve({ port: c, args: ["--listen", `[::1]:${c}`, "--listen", `127.0.0.1:${c}`] });
  assert.match(only.log, new RegExp(`http://\\[::1\\]:${c}`));
  await only.stop();
});

test("PORT means all interfaces, unless told otherwise; then /metrics wants a token", async () => {
  const port = await freePort();
  const server = await serve({ port, env: { CARILLON_LISTEN: "", PORT: String(port) } });
  assert.equal((await fetch(`http://127.0.0.1:${port}/v1/health-check`)).status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`)).status, 401, "a public address and no token: closed");
  await server.stop();
  const listen = await freePort();
  const other = await serve({ port: listen, env: { PORT: "1" } });
  await other.stop();
  const token = await serve({ port, args: ["--listen", `0.0.0.0:${port}`, "--metrics-token", "t"] });
  assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`)).status, 401);
  assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { Authorization: "Bearer t" } })).status, 200);
  await token.stop();
});

test("an address in use, one that is not here, and a name that nobody knows", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address();
  const free = await freePort();
  await refused(["--data-dir", scratch(), "--listen", `127.0.0.1:${port}`], /cannot listen on 127\.0\.0\.1:\d+: .*(in use|EADDRINUSE)/i);
  await refused(["--data-dir", scratch(), "--listen", `127.0.0.1:${free},127.0.0.1:${port}`], /in use|EADDRINUSE/i);
  await refused(["--data-dir", scratch(), "--listen", "192.0.2.1:0"], /cannot listen on 192\.0\.2\.1:0/i);
  await refused(["--data-dir", scratch(), "--listen", "no-such-host.invalid:0"], /cannot listen on no-such-host\.invalid:0/i);
  holder.close();
  const server = await serve({ dir: scratch(), port: free });
  await server.stop();
});

test("variables of the original that mean nothing here get one line each", async () => {
  const server = await serve({ env: { MONGO_URL: "mongodb://u:canary-password@h/d", REDIS_HOST: "canary-host" } });
  await server.stop();
  assert.equal(server.log.match(/it means nothing here/g).length, 2);
  assert.match(server.log, /variable=MONGO_URL/);
  assert.ok(!server.log.includes("canary"));
});

test("docs/configuration.md holds the table of the program", async () => {
  const { out } = await run(["config"]);
  const text = readFileSync(join(root, "docs/configuration.md"), "utf8");
  const [, table] = text.match(/<!-- carillon config -->\n([\s\S]*?)<!-- end -->/) ?? [];
  assert.equal(table, out, "run scripts/docs.sh");
});
