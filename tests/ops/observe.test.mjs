// What operators look at: health, metrics, logs; and what must never be seen there.
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { until } from "../compat/carillon.mjs";
import { bell, mail, raw, serve, trigger, workflow } from "./run.mjs";
import { relay, startSmtp } from "./smtp.mjs";

const sinks = [];
after(() => sinks.forEach((sink) => sink.stop()));

/** Prometheus text format 0.0.4, by its rules: Map of family → {type, help, samples: [{name, labels, value}]}. */
function parseMetrics(text) {
  const families = new Map();
  let current;
  assert.ok(text.endsWith("\n"));
  for (const line of text.slice(0, -1).split("\n")) {
    const help = line.match(/^# HELP ([a-zA-Z_:][\w:]*) (.+)$/);
    const type = line.match(/^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/);
    if (help) {
      assert.ok(!families.has(help[1]), `${help[1]} appears twice`);
      families.set(help[1], (current = { name: help[1], help: help[2], samples: [] }));
      continue;
    }
    if (type) {
      assert.equal(type[1], current.name);
      current.type = type[2];
      continue;
    }
    const sample = line.match(/^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\+Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/);
    assert.ok(sample, `no sample: ${line}`);
    const base = current.type === "histogram" ? sample[1].replace(/_(bucket|sum|count)$/, "") : sample[1];
    assert.equal(base, current.name, `${sample[1]} outside of its family`);
    const labels = Object.fromEntries([...(sample[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, k, v]) => [k, v]));
    current.samples.push({ name: sample[1], labels, value: Number(sample[3].replace("+Inf", "Infinity")) });
  }
  for (const family of families.values()) {
    const keys = family.samples.map((s) => s.name + JSON.stringify(Object.entries(s.labels).sort()));
    assert.equal(new Set(keys).size, keys.length, `${family.name} repeats a series`);
    assert.ok(family.name.startsWith("carillon_"));
    if (family.type === "counter") assert.match(family.name, /_total$/);
    if (family.type !== "histogram") continue;
    const series = new Map();
    for (const s of family.samples) {
      const { le, ...rest } = s.labels;
      const key = JSON.stringify(rest);
      if (!series.has(key)) series.set(key, { buckets: [] });
      if (s.name.endsWith("_bucket")) series.get(key).buckets.push([Number(le.replace("+Inf", "Infinity")), s.value]);
      else series.get(key)[s.name.endsWith("_sum") ? "sum" : "count"] = s.value;
    }
    for (const { buckets, sum, count } of series.values()) {
      for (let i = 1; i < buckets.length; i++) {
        assert.ok(buckets[i][0] > buckets[i - 1][0] && buckets[i][1] >= buckets[i - 1][1], `${family.name} is not cumulative`);
      }
      assert.equal(buckets.at(-1)[0], Infinity);
      assert.equal(buckets.at(-1)[1], count);
      assert.equal(typeof sum, "number");
    }
  }
  return families;
}

async function metrics(server) {
  const response = await fetch(`${server.url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const families = parseMetrics(await response.text());
  const value = (name, labels = {}) =>
    families.get(name.replace(/_(count|sum)$/, ""))?.samples ?? families.get(name)?.samples
      ? (families.get(name) ?? families.get(name.replace(/_(count|sum)$/, ""))).samples
        .filter((s) => s.name === name && Object.entries(labels).every(([k, v]) => s.labels[k] === v))
        .reduce((sum, s) => sum + s.value, 0)
      : undefined;
  return { families, value };
}

test("metrics hold what is promised, and count right", async () => {
  const sink = await startSmtp();
  sinks.push(sink);
  const server = await serve();
  await workflow(server, bell);
  await workflow(server, mail);
  await workflow(server, { name: "Later", workflowId: "later", active: true,
    steps: [{ name: "Wait", type: "delay", controlValues: { type: "regular", amount: 3, unit: "days" } }, bell.steps[0]] });
  const fresh = await metrics(server);
  assert.equal(fresh.value("carillon_triggers_accepted_total"), 0);

  const to = { subscriberId: "ada", email: "ada@example.com" };
  for (let i = 0; i < 3; i++) assert.equal((await trigger(server, "bell", to, `t-b${i}`)).status, 201);
  assert.equal((await trigger(server, "mail", to, "t-m")).status, 201);
  await server.outbox("t-m");
  assert.equal((await server.call("POST", "/v1/integrations", relay(sink))).status, 201);
  assert.equal((await trigger(server, "mail", to, "t-r")).status, 201);
  await until(() => sink.mails.length, "the mail");
  assert.equal((await trigger(server, "later", to, "t-l")).status, 201);
  assert.equal((await trigger(server, "nothing", to, "t-n")).status, 422);
  await fetch(`${server.url}/no/such/path`, { method: "POST" });
  const session = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "ada" },
  }, { key: null });
  await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&token=${session.body.data.token}`);

  const { families, value } = await until(async () => {
    const m = await metrics(server);
    return m.value("carillon_deliveries_total", { provider: "nodemailer", outcome: "sent" }) === 1 && m;
  }, "the delivery's result");
  assert.equal(value("carillon_http_requests_total", { route: "POST /v1/events/trigger", status: "201" }), 6);
  assert.equal(value("carillon_http_requests_total", { route: "POST /v1/events/trigger", status: "422" }), 1);
  assert.equal(value("carillon_http_requests_total", { route: "unmatched", status: "404" }), 1);
  assert.equal(value("carillon_triggers_accepted_total"), 6);
  assert.equal(value("carillon_runs_total"), 6);
  assert.equal(value("carillon_messages_created_total", { channel: "in_app" }), 3);
  assert.equal(value("carillon_messages_created_total", { channel: "email" }), 2);
  assert.equal(value("carillon_deliveries_total", { provider: "outbox", outcome: "sent" }), 1);
  assert.equal(value("carillon_queue_items", { state: "pending" }), 1, "the delay");
  assert.equal(value("carillon_queue_items", { state: "due" }), 0);
  assert.equal(value("carillon_write_queue_depth"), 0);
  assert.ok(value("carillon_sockets") >= 1);
  assert.ok(value("carillon_commit_batch_size_count") >= 6);
  assert.equal(families.get("carillon_due_lateness_seconds").type, "histogram");
  for (const route of families.get("carillon_http_requests_total").samples) assert.doesNotMatch(route.labels.route, /ada|t-m|6b0/);
  await server.stop();
});

test("an idle server is small", async (t) => {
  const server = await serve();
  await fetch(`${server.url}/v1/health-check`);
  const kib = Number(readFileSync(`/proc/${server.child.pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m)[1]);
  const sanitized = /lib(a|ub|t)san/.test(readFileSync(`/proc/${server.child.pid}/maps`, "utf8"));
  t.diagnostic(`VmRSS ${kib} KiB`);
  if (!sanitized) assert.ok(kib <= 25 * 1024, `${kib} KiB`);
  await server.stop();
});

test("logs and error bodies hold no secret, at any level", async () => {
  const canary = (name) => `canary${name}canary`;
  const password = canary("PASSWORD");
  const payload = canary("PAYLOAD");
  const sink = await startSmtp();
  const refusing = await startSmtp("refuse");
  sinks.push(sink, refusing);
  const server = await serve({
    args: ["--log", "json", "--log-level", "debug"],
    env: { CARILLON_SECRET_KEY: canary("SECRETKEY"), CARILLON_JWT_SECRET: canary("JWTSECRET"), CARILLON_ENCRYPTION_KEY: canary("SEALING") },
  });
  const bodies = [];
  const call = async (...args) => {
    const r = await server.call(...args);
    if (r.status >= 400) bodies.push(r.text);
    return r;
  };
  const head = `Host: 127.0.0.1\r\nAuthorization: ApiKey ${server.dev.secretKey}\r\n`;
  await workflow(server, bell);
  await workflow(server, mail);
  const session = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "ada", email: canary("MAIL") + "@example.com" },
  }, { key: null });
  const { token } = session.body.data;

  // The socket with its token in the URL, both ways; and wrong tokens.
  const socket = await raw(server.port);
  socket.socket.write(`GET /socket.io/?EIO=4&transport=websocket&token=${token} HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  await until(() => socket.text().includes("101 Switching"), "the socket");
  for (const t of [token, token + "x", canary("TOKEN")]) {
    bodies.push((await (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&token=${t}`)).text()).startsWith("0") ? "" : "refused");
    await fetch(`${server.url}/socket.io/?EIO=3&transport=nothing&token=${t}`).then(async (r) => bodies.push(await r.text()));
    await call("GET", "/v1/inbox/notifications", undefined, { key: null, headers: { Authorization: `Bearer ${t}x` } });
  }

  // Runs, a relay that takes the mail, one that repeats the password in its refusal, one that is not there.
  const ada = { subscriberId: "ada", email: "ada@example.com" };
  assert.equal((await trigger(server, "bell", ada, "t-bell", { text: payload })).status, 201);
  assert.equal((await trigger(server, "mail", ada, "t-outbox", { text: payload })).status, 201);
  await server.outbox("t-outbox");
  const one = await call("POST", "/v1/integrations", relay(sink, { user: "shop", password }));
  assert.equal(one.status, 201, one.text);
  assert.ok(!one.text.includes(password));
  await trigger(server, "mail", ada, "t-relay", { text: payload });
  await until(() => sink.mails.length, "the mail");
  assert.ok(sink.mails[0].includes(payload));
  await call("PUT", `/v1/integrations/${one.body.data._id}`, relay(refusing, { user: "shop", password }));
  await trigger(server, "mail", ada, "t-refused", { text: payload });
  const refused = await until(async () => {
    const { body } = await server.call("GET", "/v1/notifications?transactionId=t-refused");
    const text = JSON.stringify(body);
    return text.includes("not with") && text;
  }, "the refusal");
  assert.ok(!refused.includes(password), "the refusal is shown without the password");
  await call("PUT", `/v1/integrations/${one.body.data._id}`, relay({ port: 1 }, { user: "shop", password }));
  await trigger(server, "mail", ada, "t-nobody", { text: payload });

  // Bad requests of all kinds.
  const bad = [
    `{"name":"bell","to":"ada","payload":{"text":"${payload}"`, `{"name":"bell","to":"ada","payload":"${payload}"}`,
    `{"name":"bell","to":[[]],"payload":{"text":"${payload}"}}`, `{"name":5,"payload":{"text":"${payload}"}}`,
    `{"name":"none","to":"ada","payload":{"text":"${payload}"}}`, `"${payload}"`, `[${"[".repeat(5000)}`, `{"name":"bell","to":"ada","payload":{"text":"${payload}\u0000\\ud800"}}`,
    Buffer.concat([Buffer.from(`{"name":"bell","to":"ada","payload":{"text":"${payload}`), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')]),
    JSON.stringify({ name: "bell", to: "ada", payload: { text: payload.repeat(60000) } }),
  ];
  for (const body of bad) assert.ok((await call("POST", "/v1/events/trigger", body)).status >= 400, String(body).slice(0, 60));
  await call("POST", "/v1/integrations", relay(sink, { user: [], password }));
  await call("POST", "/v1/integrations", { providerId: "none", channel: "email", credentials: { password } });
  await call("POST", "/v1/integrations", `{"providerId":"nodemailer","credentials":{"password":"${password}"`);
  for (const key of [canary("OTHERKEY"), `${server.dev.secretKey}x`, server.dev.secretKey.slice(1)]) await call("GET", "/v2/workflows", undefined, { key });
  await call("GET", "/v2/workflows", undefined, { key: null, headers: { Authorization: `Basic ${password}` } });
  await call("GET", `/v2/nothing?apiKey=${canary("QUERY")}&token=${token}`);
  await call("GET", `/v1/outbox?limit=${canary("QUERY")}`);
  await call("PATCH", "/v2/workflows/bell", { name: payload });
  for (const garbage of [`GET /${"x".repeat(40000)} HTTP/1.1\r\n\r\n`, `${password}\r\n\r\n`, `GET / HTTP/1.1\r\nAuthorization: ApiKey ${password}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`]) {
    const c = await raw(server.port);
    c.socket.write(garbage);
    c.socket.end();
    await c.ended;
    bodies.push(c.text());
  }
  socket.socket.destroy();
  await server.stop();

  const lines = server.log.trim().split("\n");
  assert.ok(lines.length > 30, "the debug level says something");
  for (const line of lines) {
    const { time, level, event } = JSON.parse(line);
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.ok(["debug", "info", "warn", "error"].includes(level));
    assert.equal(typeof event, "string");
  }
  assert.ok(lines.some((line) => JSON.parse(line).requestId?.startsWith("req_")), "lines name requests");
  const signature = token.split(".")[2];
  for (const [what, text] of [["the log", server.log], ["an error body", bodies.join("\n")]]) {
    for (const secret of [server.dev.secretKey, server.prod.secretKey, token, signature, canary("JWTSECRET"), canary("SEALING"), canary("TOKEN"), canary("OTHERKEY"), password, payload]) {
      const at = text.indexOf(secret);
      assert.ok(at < 0, `${what} holds ${secret}: ${text.slice(Math.max(0, at - 200), at + 100)}`);
    }
  }
  for (const secret of [canary("QUERY"), canary("MAIL")]) assert.ok(!server.log.includes(secret), `the log holds ${secret}`);
});
