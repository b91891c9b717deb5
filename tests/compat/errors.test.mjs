// Bad input: each gets one clear error in the contract's shape, and nothing else changes (rest-api.md §3.2).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { Carillon } from "./carillon.mjs";
import { api, orderShipped } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  await novu.workflows.create(orderShipped);
});
after(() => server?.stop());
const healthy = async () => assert.equal((await fetch(`${server.url}/v1/health-check`)).status, 200);

function shape(answer, status, message) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get("content-type"), /^application\/json/);
  assert.equal(answer.body.statusCode, status);
  assert.equal(typeof answer.body.path, "string");
  assert.match(answer.body.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  if (message) assert.match(answer.body.message, message);
}

test("keys: missing, unknown scheme, wrong, of the other environment", async () => {
  const bare = (headers) => server.call("GET", "/v2/subscribers/x", undefined, { key: null, headers });
  shape(await bare({}), 401, /Missing authorization header/);
  shape(await bare({ Authorization: "Basic abc" }), 401, /Invalid authentication scheme/);
  shape(await bare({ Authorization: "ApiKey 00000000000000000000000000000000" }), 401, /API Key not found/);
  shape(await bare({ Authorization: "ApiKey " }), 401);
  shape(await bare({ Authorization: `ApiKey ${"x".repeat(5000)}` }), 401);
  assert.equal((await bare({ Authorization: `apikey ${server.dev.secretKey}` })).status, 404);
});

test("404: an unknown route, an unknown resource", async () => {
  shape(await server.call("GET", "/v1/nothing/here"), 404, /^Cannot GET \/v1\/nothing\/here$/);
  shape(await server.call("GET", "/v2/workflows/nope"), 404, /Workflow cannot be found/);
  shape(await server.call("GET", "/v1/notifications/65f000000000000000000012"), 404, /Notification not found/);
  shape(await server.call("DELETE", "/v1/messages/65f000000000000000000012"), 404);
});

test("422: a trigger of an unknown workflow has the members that the client's type asks for", async () => {
  await assert.rejects(novu.trigger({ workflowId: "nope", to: "ada" }), (e) => {
    assert.equal(e.statusCode, 422);
    assert.equal(e.name, "ValidationErrorDto");
    assert.match(e.message, /workflow_not_found/);
    return true;
  });
});

test("422: wrong and missing fields are named", async () => {
  const bad = [
    [{}, /name/],
    [{ name: 7, to: "ada" }, /name must be a string/],
    [{ name: "order-shipped" }, /\bto\b/],
    [{ name: "order-shipped", to: "" }, /to must be/],
    [{ name: "order-shipped", to: [] }, /to must be/],
    [{ name: "order-shipped", to: { firstName: "x" } }, /to must be/],
    [{ name: "order-shipped", to: { type: "Topic" } }, /to must be/],
    [{ name: "order-shipped", to: "ada", payload: "text" }, /payload must be an object/],
    [{ name: "order-shipped", to: "ada", overrides: [] }, /overrides must be an object/],
    [{ name: "order-shipped", to: "ada", transactionId: 5 }, /transactionId must be a string/],
  ];
  for (const [event, message] of bad) {
    const answer = await server.call("POST", "/v1/events/trigger", event);
    shape(answer, 422);
    assert.equal(typeof answer.body.errors, "object");
    assert.match(JSON.stringify(answer.body), message, JSON.stringify(event));
  }
  shape(await server.call("POST", "/v2/subscribers", {}), 422);
  shape(await server.call("POST", "/v1/events/trigger/bulk", { events: [] }), 422);
  const many = Array.from({ length: 101 }, () => ({ name: "order-shipped", to: "ada" }));
  shape(await server.call("POST", "/v1/events/trigger/bulk", { events: many }), 422);
  await healthy();
});

test("400: malformed JSON, bodies that are no object, invalid UTF-8, deep nesting, NUL", async () => {
  const bodies = ["{", '{"name":}', '{"name":"a","name"', "nul", '"text"', "12", "[1,2", '{"a":1}garbage', "\u0000{}",
    `{"name":"order-shipped","to":"ada","payload":${"[".repeat(20000)}${"]".repeat(20000)}}`,
    new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])];
  for (const body of bodies) {
    const answer = await server.call("POST", "/v1/events/trigger", body);
    assert.ok([400, 422].includes(answer.status), `${String(body).slice(0, 40)} → ${answer.status}`);
    shape(answer, answer.status);
  }
  await healthy();
});

test("413: over the limit, with and without Content-Length", async () => {
  const big = JSON.stringify({ name: "order-shipped", to: "ada", payload: { x: "a".repeat(600_000) } });
  shape(await server.call("POST", "/v1/events/trigger", big), 413, /512KB/);
  shape(await server.call("POST", "/v2/subscribers", `{"subscriberId":"${"b".repeat(9 << 20)}"}`), 413);
  const stream = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 10; i++) controller.enqueue(new Uint8Array(1 << 20).fill(0x20));
      controller.close();
    },
  });
  const response = await fetch(`${server.url}/v2/subscribers`, {
    method: "POST", body: stream, duplex: "half",
    headers: { Authorization: `ApiKey ${server.dev.secretKey}`, "Content-Type": "application/json" },
  }).catch((error) => ({ status: 413, error })); // the server may close while the client still sends
  assert.equal(response.status, 413);
  await healthy();
});

test("half-sent requests and clients that vanish do not disturb others", async () => {
  const sockets = [];
  for (const text of ["G", "POST /v1/events/trigger HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", "GET /socket.io/?EIO=4 HTTP/1.1\r\n", "\x16\x03\x01\x02\x00", "\r\n\r\n\r\n"]) {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write(text);
    sockets.push(socket);
  }
  await healthy();
  for (const socket of sockets) socket.resetAndDestroy();
  await healthy();
});

test("a doubled prefix and doubled slashes are read as one", async () => {
  assert.equal((await server.call("GET", "/v1/v1/health-check")).status, 200);
  assert.equal((await server.call("GET", "//v1//health-check")).status, 200);
});

test("nothing of all that was accepted", async () => {
  const { result } = await novu.notifications.list({});
  assert.equal(result.data.length, 0);
});

test("the idempotency key: a replay answers the same, another body is refused", async () => {
  const send = (body) => server.call("POST", "/v1/events/trigger", body, { headers: { "Idempotency-Key": "key-1" } });
  const event = { name: "order-shipped", to: "ada", payload: { number: 1 } };
  const first = await send(event);
  assert.equal(first.status, 201);
  assert.equal(first.headers.get("idempotency-key"), "key-1");
  const second = await send(event);
  assert.equal(second.status, 201);
  assert.equal(second.body.data.transactionId, first.body.data.transactionId);
  assert.equal(second.headers.get("idempotency-replay"), "true");
  shape(await send({ ...event, payload: { number: 2 } }), 422, /is being reused for a different body/);
});
