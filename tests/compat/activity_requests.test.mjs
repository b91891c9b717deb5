// The activity's requests: what changed data, and what became of a trigger.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";

let server, requestOf;
const get = (query) => server.call("GET", `/v1/activity/requests${query}`);
const idOf = (reply) => reply.headers.get("x-request-id");
before(async () => {
  server = await Carillon.start();
  requestOf = {
    workflow: idOf(await server.call("POST", "/v2/workflows", { name: "W", workflowId: "w", active: true, steps: [{ name: "s", type: "in_app", controlValues: { body: "x" } }] })),
    topic: idOf(await server.call("PATCH", "/v2/topics/no%20such", { name: "T" })),
    one: idOf(await server.call("POST", "/v1/events/trigger", { name: "w", to: ["ada", { type: "Topic", topicKey: "gone" }], payload: { n: 1 }, transactionId: "one" })),
    bulk: idOf(await server.call("POST", "/v1/events/trigger/bulk", { events: [{ name: "w", to: "ada", transactionId: "b1" }, { name: "w", to: "bob", transactionId: "b2" }] })),
    everybody: idOf(await server.call("POST", "/v1/events/trigger/broadcast", { name: "w", payload: {}, transactionId: "all" })),
    refused: idOf(await server.call("POST", "/v1/events/trigger", { name: "unknown", to: "ada" })),
  };
  await until(async () => (await get("?limit=100")).body.data.some((r) => r.id === requestOf.refused), "the log");
});
after(() => server?.stop());

const names = ({ body }) => body.data.map((r) => Object.keys(requestOf).find((name) => requestOf[name] === r.id) ?? r.id);

test("every request that may have changed data is listed once, newest first", async () => {
  const reply = await get("");
  assert.deepEqual(names(reply), ["refused", "everybody", "bulk", "one", "topic", "workflow"]);
  assert.deepEqual([reply.body.total, reply.body.page, reply.body.pageSize], [6, 0, 10]);
  const [refused, everybody, bulk, one, topic] = reply.body.data;
  assert.deepEqual([refused.statusCode, everybody.statusCode, bulk.statusCode, one.statusCode, topic.statusCode], [422, 201, 201, 201, 404]);
  assert.deepEqual([topic.method, topic.path, topic.urlPattern], ["PATCH", "/v2/topics/no%20such", "/v2/topics/:topicKey"]);
  assert.deepEqual([one.method, one.path, one.urlPattern, one.transactionId], ["POST", "/v1/events/trigger", "/v1/events/trigger", "one"]);
  assert.equal(everybody.path, "/v1/events/trigger/broadcast");
});

test("filters and pages", async () => {
  for (const [query, expected, total = expected.length] of [
    ["?limit=2", ["refused", "everybody"], 6],
    ["?limit=2&page=1", ["bulk", "one"], 6],
    ["?statusCodes=404&statusCodes=422", ["refused", "topic"]],
    ["?statusCodes=404,%20422", ["refused", "topic"]],
    ["?url=BULK", ["bulk"]],
    ["?search=topics", ["topic"]],
    ["?urlPattern=/v2/topics/:topicKey", ["topic"]],
    ["?url_pattern=/v1/events/trigger", ["refused", "one"]],
    ["?transactionId=b2", ["bulk"]],
    ["?transactionId=nope", []],
    [`?createdGte=${Date.now() + 60000}`, []],
    ["?createdGte=5", ["refused", "everybody", "bulk", "one", "topic", "workflow"]],
  ]) {
    const reply = await get(query);
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual([names(reply), reply.body.total], [expected, total], query);
  }
  for (const [query, message] of [
    ["?limit=101", /limit must not be greater than 100/], ["?page=-1", /page must not be less than 0/], ["?statusCodes=99", /statusCodes must not be less than 100/],
    ["?url=%3Cscript%3E", /URL contains invalid characters/], ["?url_pattern=a%20b", /URL pattern contains invalid characters/],
    ["?createdGte=soon", /createdGte must be a valid timestamp/], ["?createdGte=-1", /createdGte must be a positive timestamp/],
    [`?transactionId=${"x".repeat(101)}`, /transactionId must be shorter than or equal to 100 characters/],
  ]) {
    const { status, text } = await get(query);
    assert.equal(status, 422, query);
    assert.match(text, message);
  }
});

test("the link of a trigger leads to its request, with all that became of it", async () => {
  const link = (await server.call("POST", "/v1/events/trigger", { name: "w", to: "eve", payload: { a: [1] }, overrides: { email: {} }, transactionId: "linked" })).body.data.activityFeedLink;
  const { status, body } = await get(`/${new URL(link).searchParams.get("selectedLogId")}`);
  assert.equal(status, 200);
  const { request, traces } = body.data;
  assert.equal(request.transactionId, "linked");
  assert.deepEqual(JSON.parse(request.requestBody), { name: "w", to: "eve", payload: { a: [1] }, overrides: { email: {} }, transactionId: "linked" });
  assert.equal(JSON.parse(request.responseBody).data.activityFeedLink, link);
  assert.deepEqual(traces.map((t) => t.eventType), ["request_received", "request_queued", "workflow_execution_started", "request_subscriber_processing_completed"]);
  assert.ok(traces.every((t) => t.entityId === request.id && t.status === "success"));
});

test("traces of what went wrong, of several events, and of a refusal", async () => {
  const traces = async (name) => (await get(`/${requestOf[name]}`)).body.data.traces;
  const [gone] = (await traces("one")).filter((t) => t.eventType === "topic_not_found");
  assert.deepEqual([gone.status, gone.title], ["warning", "Topic not found"]);
  assert.equal((await traces("bulk")).filter((t) => t.eventType === "request_received").length, 2);
  assert.deepEqual((await traces("refused")).map((t) => [t.eventType, t.status]), [["request_received", "success"], ["request_failed", "error"]]);
  assert.deepEqual(await traces("topic"), []);
});

test("a request that nobody made", async () => {
  for (const id of ["req_65f0c2a1b3d4e5f6ffffffff", "x"]) {
    const { status, body } = await get(`/${id}`);
    assert.deepEqual([status, body.message], [404, `Request with requestId ${id} not found`]);
  }
});
