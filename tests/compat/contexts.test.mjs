// Contexts through @novu/api 3.19.1 (rest-api.md §6.11).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

test("create, retrieve, replace, list, delete", async () => {
  const { result: made } = await novu.contexts.create({ type: "tenant", id: "acme", data: { plan: "pro", seats: 3 } });
  assert.deepEqual(made.data, { plan: "pro", seats: 3 });
  const { result: changed } = await novu.contexts.update({ id: "acme", type: "tenant", updateContextRequestDto: { data: { plan: "free" } } });
  assert.deepEqual(changed.data, { plan: "free" });
  assert.deepEqual((await novu.contexts.retrieve("acme", "tenant")).result.data, { plan: "free" });
  for (let i = 0; i < 5; i++) await novu.contexts.create({ type: "region", id: `r${i}` });
  const { result: page } = await novu.contexts.list({ search: "ION:R", limit: 2 });
  assert.deepEqual(page.data.map((c) => c.id), ["r4", "r3"]);
  assert.equal(page.totalCount, 5);
  const { result: next } = await novu.contexts.list({ search: "region:", limit: 2, after: page.next });
  assert.deepEqual(next.data.map((c) => c.id), ["r2", "r1"]);
  assert.equal((await novu.contexts.list({ id: "acme" })).result.data.length, 1);
  await novu.contexts.delete("acme", "tenant");
  await assert.rejects(novu.contexts.retrieve("acme", "tenant"), (e) => e.statusCode === 404 && /Context with id 'acme' and type 'tenant' not found/.test(e.message));
});

test("what contexts refuse", async () => {
  await novu.contexts.create({ type: "tenant", id: "taken" });
  const cases = [
    ["POST", "", { type: "tenant", id: "taken" }, 409, /Context with type 'tenant' and id 'taken' already exists/],
    ["POST", "", { type: "tenant" }, 422, /id should not be null or undefined/],
    ["POST", "", { type: "a b", id: "1" }, 422, /type must have 1 to 100 characters/],
    ["POST", "", { type: "t", id: "x".repeat(101) }, 422, /id must have 1 to 100 characters/],
    ["POST", "", { type: "t", id: "1", data: "text" }, 422, /data must be an object/],
    ["POST", "", { type: "t", id: "1", data: { k: "x".repeat(65536) } }, 422, /data must not be larger than 65536 bytes/],
    ["PATCH", "/tenant/taken", {}, 422, /data should not be null or undefined/],
    ["PATCH", "/tenant/gone", { data: {} }, 404, /Context with id 'gone' and type 'tenant' not found/],
    ["DELETE", "/tenant/gone", undefined, 404, /Context with id 'gone' and type 'tenant' not found/],
  ];
  for (const [method, path, body, status, message] of cases) {
    const answer = await server.call(method, `/v2/contexts${path}`, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assert.match(answer.body.errors?.general?.messages?.join("; ") ?? answer.body.message, message);
  }
});

// Upstream: apps/api/src/app/contexts/e2e/context-bridge-url.e2e.ts; where a URL may lead: bridge-cli.md §2.4.
test("where a bridge may be: of a context, of an environment", async () => {
  const bridgeUrl = "https://example.com/api/novu";
  const data = { region: "eu" };
  const created = await server.call("POST", "/v2/contexts", { type: "tenant", id: "bridged", data, bridgeUrl });
  assert.deepEqual([created.status, created.body.data.bridgeUrl], [201, bridgeUrl]);
  const metadata = "http://169.254.169.254/latest/meta-data/";
  const { _id } = (await server.call("GET", "/v1/environments/me")).body.data;
  const cases = [
    ["PATCH", "/v2/contexts/tenant/bridged", { data }, 200, bridgeUrl],
    ["PATCH", "/v2/contexts/tenant/bridged", { data, bridgeUrl: metadata }, 400],
    ["PATCH", "/v2/contexts/tenant/bridged", { data, bridgeUrl: "https://a:b@example.com/" }, 400],
    ["PATCH", "/v2/contexts/tenant/bridged", { data, bridgeUrl: "ftp://example.com/" }, 422],
    ["PATCH", "/v2/contexts/tenant/bridged", { data }, 200, bridgeUrl],
    ["PATCH", "/v2/contexts/tenant/bridged", { data, bridgeUrl: null }, 200, undefined],
    ["POST", "/v2/contexts", { type: "tenant", id: "unbridged", bridgeUrl: metadata }, 400],
    ["GET", "/v2/contexts/tenant/unbridged", undefined, 404],
    ["PUT", `/v1/environments/${_id}`, { bridge: { url: metadata } }, 400],
    ["PUT", `/v1/environments/${_id}`, { bridge: { url: bridgeUrl } }, 200],
    ["PUT", `/v1/environments/${_id}`, { bridge: { url: "" } }, 200],
  ];
  for (const [method, path, body, status, url] of cases) {
    const answer = await server.call(method, path, body);
    assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
    if (status === 400) assert.match(answer.body.message, /^bridgeUrl/);
    else if (status === 200 && method === "PATCH") assert.equal(answer.body.data.bridgeUrl, url);
  }
});
