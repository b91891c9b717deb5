// Deliveries that nobody takes: retries, failover, circuits, dead letters and driving them again.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Carillon } from "./carillon.mjs";
import { ada, api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
  await novu.workflows.create({
    name: "Mail", workflowId: "mail", active: true,
    steps: [{ name: "Mail", type: "email", controlValues: { subject: "Hi", body: "<p>Hi</p>", editorType: "html" } }],
  });
});
after(() => server?.stop());

const get = async (path) => (await server.call("GET", path)).body;
const post = (path, body) => server.call("POST", path, body);
const pass = (advance) => post("/v1/testing/clock", { advance });

/** An SMTP relay at a port where nobody listens, or somebody does. */
async function relay(port, delivery, identifier = `relay-${port}`) {
  const { status, body, text } = await post("/v1/integrations", {
    providerId: "nodemailer", channel: "email", name: identifier, identifier, active: true, check: false,
    credentials: { host: "127.0.0.1", port: String(port), from: "shop@example.com", ignoreTls: true },
    configurations: { delivery },
  });
  assert.equal(status, 201, text);
  return body.data;
}

let n = 0;
async function send(overrides) {
  const transactionId = `t-${++n}`;
  await novu.trigger({ workflowId: "mail", to: ada, payload: {}, transactionId, ...overrides });
  return transactionId;
}
const run = async (transactionId) => (await novu.notifications.list({ transactionId })).result.data[0];
const job = async (transactionId) => (await run(transactionId)).jobs.find((j) => j.type === "email");

test("settings that make no sense are refused by name", async () => {
  for (const [delivery, says] of [
    [{ attempts: 0 }, "delivery.attempts must be a whole number from 1 to 100"],
    [{ attempts: "8" }, "delivery.attempts must be a whole number from 1 to 100"],
    [{ windowSeconds: 1e9 }, "delivery.windowSeconds must be a whole number from 1 to 604800"],
    [{ failover: "no" }, "delivery.failover must be a boolean"],
    [{ messagesPerSecond: -1 }, "delivery.messagesPerSecond must be a number from 0.001 to 100000"],
    [{ breaker: { errorPercent: 101 } }, "delivery.breaker.errorPercent must be a whole number from 0 to 100"],
    [[], "delivery must be an object"],
  ]) {
    const { status, text } = await post("/v1/integrations", {
      providerId: "nodemailer", channel: "email", name: "x", active: true, check: false, configurations: { delivery },
    });
    assert.equal(status, 422, text);
    assert.ok(text.includes(says), text);
  }
});

test("an exhausted delivery is a dead letter, and is driven again exactly once", async () => {
  const dead = await relay(9, { attempts: 3, failover: false, breaker: { failures: 0, errorPercent: 0 } });
  const transactionId = await send();
  await pass("PT0S");
  assert.equal((await job(transactionId)).status, "delayed");
  assert.equal((await run(transactionId)).jobs.at(-1).executionDetails.filter((d) => d.detail === "Delivery attempt failed, retrying").length, 1);
  const waiting = await get("/v1/deliveries?status=waiting");
  assert.equal(waiting.data.length, 1);
  assert.equal(waiting.data[0].attempt, 2);
  assert.ok(Date.parse(waiting.data[0].nextAttemptAt) > 0);

  await pass("PT1H");
  const failed = await job(transactionId);
  assert.equal(failed.status, "failed");
  assert.equal(failed.executionDetails.at(-1).detail, "Unexpected provider error");
  const { data } = await get("/v1/deliveries?status=dead&channel=email&providerId=nodemailer&integrationId=" + dead._id);
  assert.equal(data.length, 1);
  assert.equal(data[0].attempt, 3);
  assert.equal(data[0].status, "dead");
  assert.ok(data[0].error);
  assert.deepEqual((await get(`/v1/deliveries/${data[0]._id}`)).data, data[0]);
  assert.deepEqual((await get("/v1/deliveries?status=dead&to=2020-01-01T00:00:00Z")).data, []);

  const answers = await Promise.all([0, 1, 2].map(() => post(`/v1/deliveries/${data[0]._id}/redrive`)));
  assert.deepEqual(answers.map((a) => a.status), [200, 200, 200]);
  assert.equal(answers.reduce((sum, a) => sum + a.body.data.redriven, 0), 1, "of all who ask, one");
  await pass("PT0S");
  assert.equal((await job(transactionId)).status, "delayed");
  assert.ok((await job(transactionId)).executionDetails.some((d) => d.detail === "Delivery is driven again" && d.status === "Pending"));
  await pass("PT1H");
  assert.equal((await job(transactionId)).status, "failed");
  const again = await get("/v1/deliveries?status=dead");
  assert.equal(again.data.length, 1, "it is the same delivery");
  assert.equal(again.data[0].attempt, 6);

  assert.equal((await post("/v1/deliveries/redrive", {})).status, 422, "nothing says which");
  assert.equal((await post("/v1/deliveries/redrive", { ids: ["x"] })).status, 422);
  assert.equal((await post("/v1/deliveries/redrive", { channel: "pigeon" })).status, 422);
  assert.equal((await post("/v1/deliveries/redrive", { channel: "sms" })).body.data.redriven, 0);
  const from = new Date(Date.parse(again.data[0].updatedAt) - 1000).toISOString();
  const both = await Promise.all([post("/v1/deliveries/redrive", { from }), post("/v1/deliveries/redrive", { channel: "email" })]);
  assert.equal(both.reduce((sum, a) => sum + a.body.data.redriven, 0), 1);
  assert.equal((await get("/v1/deliveries/000000000000000000000000")).statusCode, 404);
  assert.equal((await post("/v1/deliveries/000000000000000000000000/redrive")).status, 404);
  await pass("PT1H");
  await novu.integrations.delete(dead._id);
});

test("another relay takes over, and the circuit of the first one opens", async () => {
  const script = fileURLToPath(new URL("../support/smtp_sink.py", import.meta.url));
  const child = spawn("/usr/bin/python3", [script, "--tls", "none"], { stdio: ["pipe", "pipe", "inherit"] });
  const port = await new Promise((resolve) => createInterface({ input: child.stdout }).once("line", (l) => resolve(Number(l))));
  const spare = await relay(port, {}, "spare");
  const first = await relay(9, { attempts: 2, breaker: { failures: 2, openSeconds: 3600 } }, "first");
  await server.call("POST", `/v1/integrations/${first._id}/set-primary`);
  const listener = await post("/v2/outbound-webhooks/endpoints", { url: "https://example.com/", eventTypes: ["circuit.opened", "circuit.closed"], disabled: true });
  assert.equal(listener.status, 201, JSON.stringify(listener.body));
  const transactionId = await send();
  await pass("PT10M");
  const told = (await get("/v2/outbound-webhooks/messages?eventType=circuit.opened")).data;
  assert.equal(told.length, 1);
  const { openUntil, ...said } = told[0].payload.data.object;
  assert.deepEqual([told[0].payload.object, said], ["circuit", { _integrationId: first._id, _environmentId: first._environmentId, identifier: "first", name: first.name,
    providerId: "nodemailer", channel: "email", state: "open", consecutiveFailures: 2, results: 2, failures: 2 }]);
  assert.match(told[0].payload.data.error.message, /refused|connect/i);
  const done = await job(transactionId);
  assert.equal(done.status, "completed");
  assert.ok(done.executionDetails.some((d) => d.detail === "Failing over to spare" && d.status === "Pending"));
  const circuits = (await get("/v1/deliveries/circuits")).data;
  assert.equal(circuits.find((c) => c.identifier === "first").state, "open");
  assert.equal(circuits.find((c) => c.identifier === "spare").state, "closed");
  const { text } = await server.call("GET", "/metrics");
  assert.ok(text.includes(`carillon_circuit_state{integration="${first._id}"} 1`), "the metric");

  const quick = await send();
  await pass("PT0S");
  assert.deepEqual(
    (await job(quick)).executionDetails.map((d) => d.detail).slice(2),
    ["nodemailer provider was selected", "Message created", "Failing over to spare", "Message sent"], "no attempt is wasted");
  const named = await send({ overrides: { email: { integrationIdentifier: "first" } } });
  await pass("PT0S");
  assert.equal((await job(named)).executionDetails.filter((d) => d.detail.startsWith("Failing over")).length, 0);
  await novu.integrations.delete(first._id);
  await novu.integrations.delete(spare._id);
  child.stdin.end();
});
