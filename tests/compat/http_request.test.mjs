// Steps that call an application over HTTP: what it gets, how it is signed, what its answer does, and what a kill leaves.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

const dir = mkdtempSync(join(tmpdir(), "carillon-call-"));
const requests = [];
let server, novu, sink, url;
let answer = (request, response) => response.end("{}");

before(async () => {
  sink = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const seen = { method: request.method, path: request.url, headers: request.headers, body };
    requests.push(seen);
    answer(seen, response);
  }).listen(0, "127.0.0.1");
  await once(sink, "listening");
  url = `http://127.0.0.1:${sink.address().port}`;
  server = await Carillon.start({ dir });
  novu = api(server);
});
after(async () => {
  await server?.stop();
  sink?.closeAllConnections();
  sink?.close();
  rmSync(dir, { recursive: true, force: true });
});

const json = (response, body, status = 200) => {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
};

/** Creates a workflow of these steps, triggers it, and returns its run when it has ended. */
async function run(workflowId, steps, payload = {}, environment = server) {
  await novu.workflows.create({ name: workflowId, workflowId, active: true, steps });
  const { result } = await novu.trigger({ workflowId, to: { subscriberId: "ada", firstName: "Ada" }, payload });
  return ended(result.transactionId, environment);
}

const feed = async (transactionId, environment = server) =>
  (await environment.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0];

const ended = (transactionId, environment = server) =>
  until(async () => {
    const found = await feed(transactionId, environment);
    return found && found.jobs.every((job) => !["pending", "queued", "running", "delayed"].includes(job.status)) && found;
  }, "the run's end");

const details = (found, type) => found.jobs.find((job) => job.type === type).executionDetails.map((d) => d.detail);
const fetchStep = (controlValues) => ({ name: "fetch", type: "http_request", controlValues });
const bell = { name: "bell", type: "in_app", controlValues: { body: "{{steps.fetch.greeting}} {{steps.fetch.list[1]}}" } };

test("a request is rendered, signed with the environment's key, and its answer is there for later steps", async () => {
  answer = (request, response) => json(response, { greeting: "Hello", list: [1, 2] });
  const found = await run("call", [
    fetchStep({
      method: "POST", url: `${url}/orders/{{payload.id}}?q=1`, timeout: 3000,
      headers: [{ key: "X-Who", value: "{{subscriber.firstName}}" }, { key: "novu-signature", value: "forged" }],
      body: [{ key: "id", value: "{{payload.id}}" }, { key: "quote", value: 'say "hi"' }],
    }),
    bell,
  ], { id: "A-1" });
  const request = requests.pop();
  assert.equal(request.method, "POST");
  assert.equal(request.path, "/orders/A-1?q=1");
  assert.equal(request.headers["x-who"], "Ada");
  assert.equal(request.headers["content-type"], "application/json");
  assert.deepEqual(JSON.parse(request.body), { id: "A-1", quote: 'say "hi"' });
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request.headers["novu-signature"]);
  assert.equal(v1, createHmac("sha256", server.dev.secretKey).update(`${t}.${request.body}`).digest("hex"));
  assert.ok(Math.abs(Date.now() - t) < 60000);
  assert.ok(details(found, "http_request").includes("Step processed"));
  const { body } = await server.call("GET", `/v1/messages?transactionId=${found.transactionId}`);
  assert.equal(body.data[0].content, "Hello 2");
});

test("a request without body is signed over {}", async () => {
  answer = (request, response) => json(response, {});
  await run("call-get", [fetchStep({ method: "GET", url, body: '{"never":"sent"}' })]);
  const request = requests.pop();
  assert.equal(request.body, "");
  const [, t, v1] = /^t=(\d+),v1=(\w+)$/.exec(request.headers["novu-signature"]);
  assert.equal(v1, createHmac("sha256", server.dev.secretKey).update(`${t}.{}`).digest("hex"));
});

test("a failure stops the run unless it may go on", async () => {
  answer = (request, response) => json(response, { message: "no" }, 503);
  const stopped = await run("call-fails", [fetchStep({ method: "POST", url }), bell]);
  assert.deepEqual(stopped.jobs.map((job) => job.status).slice(-2), ["failed", "canceled"]);
  const detail = stopped.jobs.find((job) => job.type === "http_request").executionDetails.find((d) => d.detail === "Action step execution failed");
  assert.equal(JSON.parse(detail.raw).error, "Request failed with status code 503");
  const gone = await run("call-fails-on", [fetchStep({ method: "POST", url, continueOnFailure: true }), bell]);
  assert.deepEqual(gone.jobs.map((job) => job.status).slice(-2), ["failed", "completed"]);
  assert.equal(requests.splice(0).length, 2, "an http_request is tried once");
});

test("redirects are followed three times, and lose what was meant for the first origin", async () => {
  answer = (request, response) => {
    if (request.path === "/a") response.writeHead(302, { Location: "/b" }).end();
    else if (request.path === "/b") response.writeHead(307, { Location: `${url}/c` }).end();
    else json(response, { greeting: request.method });
  };
  await run("call-redirected", [fetchStep({ method: "POST", url: `${url}/a`, body: '{"x":1}', headers: [{ key: "Authorization", value: "secret" }] }), bell]);
  assert.deepEqual(requests.splice(0).map((r) => [r.method, r.path, r.body]), [["POST", "/a", '{"x":1}'], ["GET", "/b", ""], ["GET", "/c", ""]]);
  answer = (request, response) => response.writeHead(302, { Location: `http://localhost:${sink.address().port}/away` }).end();
  const found = await run("call-endless", [fetchStep({ method: "POST", url: `${url}/a`, headers: [{ key: "Authorization", value: "secret" }] }), bell]);
  const seen = requests.splice(0);
  assert.equal(seen.length, 4);
  assert.equal(seen[0].headers.authorization, "secret");
  assert.equal(seen[1].headers.authorization, undefined);
  assert.equal(seen[1].headers["novu-signature"], undefined);
  assert.ok(details(found, "http_request").includes("Action step execution failed"));
});

test("metadata addresses are never called", async () => {
  const found = await run("call-metadata", [fetchStep({ method: "GET", url: "http://169.254.169.254/latest" })]);
  const failed = found.jobs.find((job) => job.type === "http_request").executionDetails.find((d) => d.detail === "Action step execution failed");
  assert.match(JSON.parse(failed.raw).error, /blocked by the outbound SSRF policy/);
  assert.doesNotMatch(failed.raw, /169\.254/);
});

test("a step of the application's own runs through its bridge, again after a failure", async () => {
  const environments = (await server.call("GET", "/v1/environments")).body.data;
  const dev = environments.find((e) => e.name === "Development");
  assert.equal((await server.call("PUT", `/v1/environments/${dev._id}`, { bridge: { url: `${url}/api/novu` } })).status, 200);
  let tries = 0;
  answer = (request, response) => (++tries === 1 ? json(response, { code: "BridgeError", message: "oops" }, 500) : json(response, { outputs: { greeting: "Custom" }, options: {} }));
  const found = await run("custom", [{ name: "fetch", type: "custom", controlValues: {} }, bell], { id: 3 });
  const [first, second] = requests.splice(0);
  const query = new URL(first.path, url).searchParams;
  assert.equal(query.get("action"), "execute");
  assert.equal(query.get("workflowId"), "custom");
  assert.equal(query.get("stepId"), "fetch");
  const body = JSON.parse(first.body);
  assert.deepEqual(body.payload, { id: 3 });
  assert.equal(body.subscriber.firstName, "Ada");
  for (const request of [first, second]) {
    const [, t, v1] = /^t=(\d+),v1=(\w+)$/.exec(request.headers["novu-signature"]);
    assert.equal(v1, createHmac("sha256", server.dev.secretKey).update(`${t}.${request.body}`).digest("hex"));
  }
  assert.notEqual(first.headers["novu-signature"], second.headers["novu-signature"]);
  assert.ok(details(found, "custom").includes("Step processed"));
  const messages = (await server.call("GET", `/v1/messages?transactionId=${found.transactionId}`)).body.data;
  assert.equal(messages[0].content.trim(), "Custom");
});

test("a request that was under way when the server was killed is made again", async () => {
  let hold = true;
  answer = (request, response) => (hold ? undefined : json(response, { greeting: "Back", list: [0, 1] }));
  await novu.workflows.create({ name: "call-killed", workflowId: "call-killed", active: true, steps: [fetchStep({ method: "POST", url, timeout: 30000 }), bell] });
  const { result } = await novu.trigger({ workflowId: "call-killed", to: "ada", payload: {} });
  await until(() => requests.length === 1, "the first request");
  await server.kill();
  hold = false;
  server = await Carillon.start({ dir });
  const found = await ended(result.transactionId);
  assert.deepEqual(found.jobs.map((job) => job.status).slice(-2), ["completed", "completed"]);
  assert.equal(requests.splice(0).length, 2);
});

const tryOut = (body) => server.call("POST", "/v2/workflows/steps/test-http-request", body).then((r) => [r.status, r.body.data ?? r.body]);

test("the request of a step is tried out as it is being edited", async () => {
  answer = (request, response) => json(response, { got: request.method }, 418);
  const headers = [{ key: "content-type", value: "application/json" }, { key: "X-Who", value: "{{subscriber.firstName}}" }, { key: "novu-signature", value: "forged" }];
  const previewPayload = { payload: { name: 'Ada "A"' }, subscriber: { firstName: "Ada" } };
  for (const [body, sent] of [
    [JSON.stringify({ name: "{{payload.name}}", nested: { source: "raw" } }), { name: 'Ada "A"', nested: { source: "raw" } }],
    [[{ key: "name", value: "{{payload.name}}" }, { key: "source", value: "pairs" }, { key: "", value: "x" }], { name: 'Ada "A"', source: "pairs" }],
    ["[1, 2]", [1, 2]],
  ]) {
    const [status, said] = await tryOut({ controlValues: { url: `${url}/try?x={{payload.none}}`, method: "POST", headers, body }, previewPayload });
    const request = requests.pop();
    assert.deepEqual([status, said.statusCode, said.body], [201, 418, { got: "POST" }]);
    assert.deepEqual([said.resolvedRequest.url, said.resolvedRequest.method, said.resolvedRequest.body], [`${url}/try?x=`, "POST", sent]);
    assert.deepEqual(JSON.parse(request.body), sent);
    assert.deepEqual([request.headers["x-who"], said.resolvedRequest.headers["X-Who"]], ["Ada", "Ada"]);
    assert.equal(request.headers["novu-signature"], said.resolvedRequest.headers["novu-signature"]);
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request.headers["novu-signature"]);
    assert.equal(v1, createHmac("sha256", server.dev.secretKey).update(`${t}.${request.body}`).digest("hex"));
    assert.equal(said.headers["content-type"], "application/json");
    assert.ok(said.durationMs >= 0);
  }
  const [, plain] = await tryOut({ controlValues: { url, method: "GET", body: "{}" } });
  assert.deepEqual([requests.pop().body, "body" in plain.resolvedRequest], ["", false]);
});

test("a request that cannot be made is told in the answer", async () => {
  const before = requests.length;
  const tries = [
    [{ url: "http://metadata.google.internal/x", method: "GET" }, 400, { error: 'Requests to "metadata.google.internal" are not allowed.' }],
    [{ url, method: "POST", body: '{"a": ' }, 400, /^Invalid raw JSON body: /],
    [{ url, method: "POST", body: '"text"' }, 400, { error: "Invalid raw JSON body: Raw body must be a JSON object or array" }],
    [{}, 400, { error: "Invalid URL format." }],
    [{ url: "http://127.0.0.1:1/", method: "GET" }, 502, /./],
  ];
  for (const [controlValues, statusCode, want] of tries) {
    const [status, said] = await tryOut({ controlValues });
    assert.deepEqual([status, said.statusCode], [201, statusCode], JSON.stringify(said));
    if (want instanceof RegExp) assert.match(said.body.error, want);
    else assert.deepEqual(said.body, want);
  }
  const [status, { message }] = await tryOut({ controlValues: { url: "{{ payload.x" } });
  assert.equal(status, 400);
  assert.match(message, /^HTTP request step template compilation failed: /);
  assert.equal((await tryOut({ controlValues: "x" }))[0], 422);
  assert.equal(requests.length, before);
});
