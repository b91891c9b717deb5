// docs/proxies.md says what is true: each of its snippets is started as it stands there, and the real clients go through it.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { freePort, until } from "../compat/carillon.mjs";
import { api, inbox, listen, order, orderShipped } from "../compat/clients.mjs";
import { root, scratch, serve } from "./run.mjs";

const require = createRequire(new URL("../compat/package.json", import.meta.url));
const { WebSocket } = require("ws");
const { io } = require("socket.io-client");
// Its CommonJS build has no WebSocket.
const { WebSocket: PartySocket } = await import(new URL("../compat/node_modules/partysocket/dist/index.js", import.meta.url));
globalThis.WebSocket ??= WebSocket;         // the plain transport of @novu/js takes the browser's; Node 20 has none
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";     // the certificate is made here

const received = "notifications.notification_received";
const document = readFileSync(join(root, "docs/proxies.md"), "utf8");

/** The snippet behind <!-- tested: name -->. */
function snippet(name) {
  const found = document.match(new RegExp(`<!-- tested: ${name} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``));
  assert.ok(found, `docs/proxies.md has a snippet for ${name}`);
  return found[1];
}

/** Every text to be replaced must be there: a snippet that changes must not slip past its test. */
function replaced(text, pairs) {
  for (const [from, to] of pairs) {
    assert.ok(text.includes(from), `the snippet holds ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const dir = scratch();
const certificate = join(dir, "both.pem");
const paths = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/sbin"];
const installed = (name) => paths.map((path) => join(path, name)).find(existsSync);

// What stands around the snippets: a scratch directory instead of the system's, and a port of loopback.
const upstream = (server) => `127.0.0.1:${server.port}`;
const proxies = {
  nginx: {
    program: "nginx",
    whole: (server, port, log) => replaced(snippet("nginx"), [
      ["127.0.0.1:3000", upstream(server)], ["listen 443", `listen 127.0.0.1:${port}`],
      ["/etc/ssl/notify.example.com.pem", certificate], ["/etc/ssl/notify.example.com.key", certificate],
      ["/var/log/nginx/carillon.log", log]]),
    path(server, port, log) {
      const [above] = proxies.nginx.whole(server, port, log).split("server {\n");
      return `${above}server {\nlisten 127.0.0.1:${port} ssl;\nssl_certificate ${certificate};\nssl_certificate_key ${certificate};\n` +
        replaced(snippet("nginx path"), [["/var/log/nginx/carillon.log", log]]) + "}\n";
    },
    start(config, file) {
      const own = join(dir, `nginx-${file}`);
      mkdirSync(own);
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${own}/${what};\n`).join("");
      writeFileSync(file = join(own, "nginx.conf"), `daemon off;\nmaster_process on;\nworker_processes 1;\npid ${own}/pid;\nerror_log stderr;\n` +
        `${process.getuid() === 0 ? "user root;\n" : ""}events {}\nhttp {\n${temporary}${config}}\n`);
      return ["-p", own, "-e", "stderr", "-c", file];
    },
  },
  caddy: {
    program: "caddy",
    around: (port, config) => `{\n admin off\n auto_https disable_redirects\n local_certs\n skip_install_trust\n default_bind 127.0.0.1\n}\n` + config,
    whole: (server, port, log) => proxies.caddy.around(port, replaced(snippet("caddy"), [
      ["127.0.0.1:3000", upstream(server)], ["notify.example.com {", `https://localhost:${port} {`], ["/var/log/caddy/carillon.log", log]])),
    path(server, port, log) {
      const text = proxies.caddy.whole(server, port, log);
      const logging = text.slice(text.indexOf("    log {"), text.indexOf("    respond"));
      return proxies.caddy.around(port, replaced(snippet("caddy path"), [
        ["127.0.0.1:3000", upstream(server)], ["www.example.com {", `https://localhost:${port} {\n${logging}`]]));
    },
    start(config, file) {
      writeFileSync(file = join(dir, file), config);
      return ["run", "--config", file, "--adapter", "caddyfile"];
    },
  },
  haproxy: {
    program: "haproxy",
    // Debian's own head of the file, as far as it matters.
    around: (config) => `global\n log stdout format raw local0\ndefaults\n log global\n mode http\n option httplog\n option dontlognull\n` +
      ` timeout connect 5000\n timeout client 50000\n timeout server 50000\n\n${config}`,
    whole: (server, port) => proxies.haproxy.around(replaced(snippet("haproxy"), [
      ["127.0.0.1:3000", upstream(server)], ["bind :443", `bind 127.0.0.1:${port}`], ["/etc/haproxy/notify.example.com.pem", certificate]])),
    path(server, port) {
      const text = proxies.haproxy.whole(server, port);
      const [bind, format] = [text.match(/bind .*/)[0], text.match(/log-format .*/)[0]];
      return text.slice(0, text.indexOf("frontend")) + `frontend site\n    ${bind}\n    timeout client 75s\n    ${format}\n` +
        snippet("haproxy path") + "\n" + text.slice(text.indexOf("\nbackend carillon"));
    },
    start(config, file) {
      writeFileSync(file = join(dir, file), config);
      return ["-db", "-f", file];
    },
  },
};

const running = [];
after(async () => {
  for (const proxy of running) {
    proxy.child.kill("SIGTERM");       // nginx takes its worker along
    await proxy.ended;
  }
});

async function startProxy(name, kind, server) {
  const { program, start, [kind]: config } = proxies[name];
  const port = await freePort();
  const log = join(dir, `${name}-${kind}.log`);
  const child = spawn("setpriv", ["--pdeathsig", "TERM", installed(program), ...start(config(server, port, log), `${name}-${kind}`)],
    { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir } });
  let said = "";
  child.stdout.on("data", (chunk) => (said += chunk));
  child.stderr.on("data", (chunk) => (said += chunk));
  let gone = false;
  const ended = new Promise((resolve) => child.once("close", resolve)).then(() => (gone = true));
  const base = `https://localhost:${port}${kind === "path" ? "/notify" : ""}`;
  const proxy = { child, ended, origin: `https://localhost:${port}`, url: base, access: () => said + (existsSync(log) ? readFileSync(log, "utf8") : "") };
  running.push(proxy);
  await until(async () => gone || (await fetch(`${base}/v1/health-check`)).status === 200, `${name}: ${said}`)
    .catch((error) => { throw new Error(`${error.message}\n${said}`); });
  assert.ok(!gone, `${name} ended at start:\n${said}`);
  return proxy;
}

const servers = {};
before(async () => {
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
    "-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")], { stdio: "ignore" });
  writeFileSync(certificate, readFileSync(join(dir, "cert.pem"), "utf8") + readFileSync(join(dir, "key.pem"), "utf8"));
  servers.whole = await serve();
  servers.path = await serve({ env: { CARILLON_CONTEXT_PATH: "/notify" } });
  for (const server of Object.values(servers)) await api(server).workflows.create({ ...orderShipped, steps: [orderShipped.steps[0]] });
});

const ok = ({ data, error }) => {
  assert.equal(error, undefined);
  return data;
};

for (const name of Object.keys(proxies))
  for (const kind of ["whole", "path"])
    test(`${name}, ${kind === "path" ? "under a path" : "a host of its own"}`,
      { timeout: 60000, skip: !installed(proxies[name].program) && `${name} is not installed (scripts/setup.sh test)` }, async (t) => {
        const server = servers[kind];
        const proxy = await startProxy(name, kind, server);
        const through = { dev: server.dev, url: proxy.url };
        const novu = api(through);
        // engine.io-client in Node asks for a good certificate by itself.
        const path = { rejectUnauthorized: false, ...(kind === "path" ? { path: "/notify/socket.io/" } : {}) };
        const who = (what) => `${name}-${kind}-${what}`;
        const trigger = (to) => novu.trigger({ workflowId: "order-shipped", to, payload: order, transactionId: to });
        const tokenOf = async (subscriberId) => {
          const { status, body } = await server.call("POST", "/v1/inbox/session", {
            applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId },
          }, { key: null });
          assert.equal(status, 201);
          return body.data.token;
        };
        const connect = (what, socketOptions, socketUrl = proxy.origin) => {
          const client = inbox(through, who(what), { socketUrl, socketOptions });
          t.after(() => client.socket.disconnect());
          return client;
        };
        const delivers = async (client, what) => {
          const events = listen(client, received);
          await events.connected;
          await trigger(who(what));
          assert.equal((await events.next(received)).result.transactionId, who(what));
          assert.equal(ok(await client.notifications.list()).notifications.length, 1);
        };

        await t.test("the API, also with a body of 4 MiB", async () => {
          const { result } = await novu.subscribers.create({ subscriberId: who("rest"), firstName: "Ada" });
          assert.equal(result.firstName, "Ada");
          const big = await fetch(`${proxy.url}/v1/events/trigger`, {
            method: "POST", headers: { Authorization: `ApiKey ${server.dev.secretKey}`, "Content-Type": "application/json" },
            body: JSON.stringify({ name: "order-shipped", to: who("rest"), payload: { attachments: [{ name: "a", mime: "text/plain", file: "A".repeat(4 << 20) }] } }),
          });
          assert.equal(big.status, 201, await big.text());
        });
        await t.test("the Inbox over its WebSocket", () => delivers(connect("websocket", path), "websocket"));
        await t.test("long polling", () => delivers(connect("polling", { ...path, transports: ["polling"] }), "polling"));
        await t.test("long polling that becomes a WebSocket", async () => {
          const token = await tokenOf(who("upgrade"));
          const socket = io(proxy.origin, { ...path, query: { token }, transports: ["polling", "websocket"], forceNew: true });
          const upgraded = new Promise((resolve, reject) => {
            socket.io.on("open", () => socket.io.engine.once("upgrade", resolve));
            socket.once("connect_error", reject);
          });
          const heard = new Promise((resolve) => socket.once("notification_received", resolve));
          await upgraded;
          assert.equal(socket.io.engine.transport.name, "websocket");
          await trigger(who("upgrade"));
          assert.equal((await heard).message.transactionId, who("upgrade"));
          socket.close();
        });
        await t.test("partysocket", async () => {
          const token = await tokenOf(who("party"));
          const plain = new PartySocket(`${proxy.url.replace("https", "wss")}/?token=${token}`, [], { WebSocket });
          const pong = new Promise((resolve) => plain.addEventListener("message", ({ data }) => resolve(data)));
          plain.addEventListener("open", () => plain.send("ping"));
          assert.equal(await pong, "pong");
          plain.close();
        });
        await t.test("the plain transport of the Inbox", () =>
          delivers(connect("plain", { socketType: "cloud" }, `${proxy.url.replace("https", "wss")}/`), "plain"));
        await t.test("metrics stay inside, and tokens out of the proxy's log", async () => {
          assert.equal((await fetch(`${proxy.url}/metrics`)).status, 404);
          const log = await until(() => (/socket\.io/.test(proxy.access()) ? proxy.access() : undefined), "the access log to name the socket");
          assert.match(log, /socket\.io/);
          assert.doesNotMatch(log, /token=|eyJ/);
        });
      });

test("what is open to this machine alone is closed to what came through a proxy", async () => {
  const { url } = servers.whole;
  assert.equal((await fetch(`${url}/metrics`)).status, 200);
  for (const name of ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
    assert.equal((await fetch(`${url}/metrics`, { headers: { [name]: "127.0.0.1" } })).status, 401, name);
});
