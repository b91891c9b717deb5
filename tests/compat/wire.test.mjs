// The corners of the wire (rest-api.md §1, §3.2, §8): what clients meet when something is odd, as bytes.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { Carillon, until } from "./carillon.mjs";

let server;
before(async () => {
  server = await Carillon.start();
  await server.call("POST", "/v2/subscribers", { subscriberId: "a/b@c d" });
});
after(() => server?.stop());

/** Sends bytes and gives {status, headers, text, body} of the one answer. */
function send(lines, body = "") {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1");
    let got = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => (got += chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(parsed(got)));
    socket.write([...lines, "Host: x", `Authorization: ApiKey ${server.dev.secretKey}`, "Connection: close", "", ""].join("\r\n") + body);
  });
}
function parsed(got) {
  const end = got.indexOf("\r\n\r\n");
  const [first, ...rest] = got.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(rest.map((l) => [l.slice(0, l.indexOf(":")).toLowerCase(), l.slice(l.indexOf(":") + 2)]));
  const text = got.slice(end + 4);
  return { status: Number(first.split(" ")[1]), headers, text, body: text.startsWith("{") ? JSON.parse(text) : undefined };
}
const post = (path, text, type = "application/json") =>
  send([`POST ${path} HTTP/1.1`, ...(type ? [`Content-Type: ${type}`] : []), `Content-Length: ${Buffer.byteLength(text)}`], text);

function assertError(reply, status, message) {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.headers["content-type"], "application/json; charset=utf-8");
  assert.equal(reply.body.statusCode, status);
  assert.match(reply.body.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(typeof reply.body.path, "string");
  if (message instanceof RegExp) assert.match(reply.body.message, message);
  else assert.equal(reply.body.message, message);
}

const errors = [
  ["an unknown path", () => send(["GET /nowhere?x=1 HTTP/1.1"]), 404, "Cannot GET /nowhere"],
  ["a method that a path does not have", () => send(["PUT /v2/subscribers HTTP/1.1", "Content-Length: 0"]), 404, "Cannot PUT /v2/subscribers"],
  ["a method that nobody has", () => send(["BREW /v2/subscribers HTTP/1.1"]), 404, "Cannot BREW /v2/subscribers"],
  ["half a document", () => post("/v2/subscribers", '{"a":'), 400, /^Unexpected token in JSON at position 5/],
  ["half a trigger", () => post("/v1/events/trigger", "{"), 400, /JSON/, { type: "BAD_REQUEST", errors: [] }],
  ["a number", () => post("/v2/subscribers", "42"), 400, /must be an object or an array/],
  ["half a character", () => post("/v2/subscribers", '{"subscriberId":"\\ud800"}'), 400, /JSON/],
  ["a broken escape", () => send(["GET /v2/subscribers/%zz HTTP/1.1"]), 400, "Failed to decode param '%zz'"],
  ["a NUL in a path", () => send(["GET /v2/subscribers/%00 HTTP/1.1"]), 400, /Failed to decode/],
  ["a body that is announced too large", () => send(["POST /v2/subscribers HTTP/1.1", "Content-Length: 99999999"]), 413, "Payload Too Large", { ctx: { statusCode: 413 } }],
  ["a compressed body", () => send(["POST /v2/subscribers HTTP/1.1", "Content-Encoding: gzip", "Content-Length: 1"], "x"), 415, /unsupported content encoding/],
  ["no body", () => post("/v2/subscribers", "", null), 422, "Validation Error"],
  ["a body of another type", () => post("/v2/subscribers", "hello", "text/plain"), 422, "Validation Error"],
  ["an unknown workflow", () => post("/v1/events/trigger", '{"name":"x","to":"y"}'), 422, "workflow_not_found", { errors: {} }],
  ["two framings", () => send(["POST /v2/subscribers HTTP/1.1", "Content-Length: 2", "Transfer-Encoding: chunked"], "{}"), 400, /./],
  ["a number that is none", () => send(["GET /v2/subscribers?limit=ten HTTP/1.1"]), 422, "Validation Error"],
];
for (const [name, ask, status, message, more] of errors)
  test(`${name}: ${status}`, async () => {
    const reply = await ask();
    assertError(reply, status, message);
    for (const [key, value] of Object.entries(more ?? {})) assert.deepEqual(reply.body[key], value, key);
    if (status === 422) assert.ok(reply.body.errors && typeof reply.body.errors === "object");
  });

test("paths: doubled slashes, a doubled version, percent-encoded parameters, a slash at the end", async () => {
  for (const path of ["//v2//subscribers", "/v2/subscribers/", "/v2/subscribers?", "/v2/subscribers#x", "http://x/v2/subscribers"])
    assert.equal((await send([`GET ${path} HTTP/1.1`])).status, 200, path);
  assert.equal((await send(["GET /v1/v1/health-check HTTP/1.1"])).status, 200);
  const one = await send(["GET /v2/subscribers/a%2Fb%40c%20d HTTP/1.1"]);
  assert.equal(one.body.data.subscriberId, "a/b@c d");
});

test("queries: repeated keys, brackets, plus signs and escapes", async () => {
  const ids = async (query) => (await send([`GET /v2/subscribers?${query} HTTP/1.1`])).body.data.map((s) => s.subscriberId);
  assert.deepEqual(await ids("subscriberId=a%2Fb%40c+d"), ["a/b@c d"]);
  assert.deepEqual(await ids("subscriberId=a%2Fb%40c%20d&limit=1&unknown=1"), ["a/b@c d"]);
  assert.deepEqual(await ids("subscriberId=nobody"), []);
  for (const query of ["templates=65f0c2a1b3d4e5f6ffffffff&templates=x", "templates[]=x", "templates[0]=x&templates[1]=y"])
    assert.equal((await send([`GET /v1/notifications?${query} HTTP/1.1`])).status, 200, query);
});

test("HEAD has the head of GET, OPTIONS asks nobody who he is", async () => {
  const get = await send(["GET /v2/subscribers HTTP/1.1"]), head = await send(["HEAD /v2/subscribers HTTP/1.1"]);
  assert.equal(head.status, 200);
  assert.equal(head.text, "");
  assert.equal(head.headers["content-length"], get.headers["content-length"]);
  const options = await server.call("OPTIONS", "/v2/subscribers", undefined, { key: null, headers: { Origin: "https://a.example" } });
  assert.equal(options.status, 204);
  assert.equal(options.headers.get("access-control-allow-methods"), "GET,HEAD,POST,PUT,DELETE,PATCH,OPTIONS");
});

test("a PATCH without body or type is an empty one", async () => {
  const reply = await send(["PATCH /v2/subscribers/a%2Fb%40c%20d HTTP/1.1", "Content-Length: 0"]);
  assert.equal(reply.status, 200, reply.text);
});

test("URL-encoded bodies, and JSON that curl's -d calls one", async () => {
  const post = async (path, body, headers = {}) => {
    const response = await fetch(server.url + path, { method: "POST", body,
      headers: { authorization: `ApiKey ${server.dev.secretKey}`, "content-type": "application/x-www-form-urlencoded", ...headers } });
    return { status: response.status, body: (await response.json()) };
  };
  const made = await post("/v2/subscribers", "subscriberId=form&firstName=Ada+L&data[plan]=pro&data[tags][]=a&data[tags][]=b");
  assert.equal(made.status, 201);
  assert.deepEqual([made.body.data.firstName, made.body.data.data], ["Ada L", { plan: "pro", tags: ["a", "b"] }]);
  assert.equal((await post("/v1/topics", '{"key": "curl", "name": "From a shell"}')).status, 201);
  assert.deepEqual((await post("/v1/topics/curl/subscribers", "subscribers[]=form")).body.data.succeeded, ["form"]);
  const both = await post("/v2/subscribers", "subscriberId=x&subscriberId[y]=z");
  assert.deepEqual([both.status, both.body.message], [400, "Body parameter subscriberId[y] is both a value and an object"]);
  assert.equal((await post("/v2/subscribers", "a=1&".repeat(1001))).status, 413);
  // The Ruby client has one key for all its requests.
  const ruby = { "user-agent": "novu/ruby/1.0.0", "idempotency-key": "the-client" };
  for (const key of ["ruby-1", "ruby-2"]) assert.equal((await post("/v1/topics", `key=${key}&name=T`, ruby)).status, 201);
});

test("requests that change data are logged, without queries and bodies; reads and accepted triggers are not", async () => {
  await server.call("POST", "/v2/workflows", { name: "log", workflowId: "log", active: true, steps: [{ name: "s", type: "in_app", controlValues: { body: "x" } }] });
  await server.call("POST", "/v2/subscribers?token=hush", { subscriberId: "logged", email: "secret@example.com" });
  await server.call("POST", "/v2/subscribers", { subscriberId: 7 });
  await server.call("GET", "/v2/subscribers/logged");
  await server.call("POST", "/v1/events/trigger", { name: "log", to: "logged" });
  await server.call("POST", "/v1/events/trigger", { name: "unknown", to: "logged" });
  const last = await server.call("DELETE", "/v2/subscribers/logged");
  const id = last.headers.get("x-request-id").slice(4);
  const rows = await until(() => {
    const script = "import sqlite3,sys,json\nc=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True)\n" +
      "print(json.dumps(c.execute('SELECT lower(hex(id)),operation,method,path,status,duration_ms FROM request_log ORDER BY id').fetchall()))";
    const all = JSON.parse(execFileSync("python3", ["-c", script, join(server.dir, "carillon.db")]));
    return all.some((row) => row[0] === id) && all;
  }, "the last request in the log");
  const seen = rows.map((row) => row.slice(1, 5).join(" "));
  const from = seen.indexOf("workflowsCreate POST /v2/workflows 201");
  assert.deepEqual(seen.slice(from), [
    "workflowsCreate POST /v2/workflows 201",
    "subscribersCreate POST /v2/subscribers 201",
    "subscribersCreate POST /v2/subscribers 422",
    "trigger POST /v1/events/trigger 422",
    "subscribersDelete DELETE /v2/subscribers/logged 200",
  ]);
  assert.ok(rows.every((row) => row[5] >= 0 && row[5] < 60000));
  assert.ok(!JSON.stringify(rows).includes("secret@") && !JSON.stringify(rows).includes("hush"));
});
