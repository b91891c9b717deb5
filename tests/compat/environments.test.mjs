// Environments with the real client: made, listed, changed, tagged, deleted; and what a secret key may not reach.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

const dir = mkdtempSync(join(tmpdir(), "carillon-env-"));
let server;
before(async () => (server = await Carillon.start({ dir })));
after(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status);
    assert.match(JSON.parse(error.body).message, message);
    return true;
  });

test("an environment is made without showing its keys, and has what every environment has", async () => {
  const novu = api(server);
  const { result } = await novu.environments.create({ name: "Staging", color: "#ff8800" });
  assert.equal(result.name, "Staging");
  assert.equal(result.type, "prod");
  assert.match(result.id, /^[0-9a-f]{24}$/);
  assert.match(result.slug, /^staging_env_[0-9A-Za-z]{16}$/);
  const list = (await novu.environments.list()).result;
  assert.deepEqual(list.map((e) => e.name), ["Development", "Production", "Staging"]);
  assert.equal(list[0].apiKeys.length, 1);
  assert.deepEqual(list.slice(1).map((e) => e.apiKeys), [[], []]);
  const keys = await server.call("GET", "/v1/environments/api-keys");
  assert.deepEqual(keys.body.data.map((k) => k.key), [server.dev.secretKey]);
});

test("bad names, colours and too many environments are refused, each with its reason", async () => {
  const novu = api(server);
  await fails(novu.environments.create({ name: "Production", color: "#fff" }), 422, /cannot be Development or Production/);
  await fails(novu.environments.create({ name: "Staging", color: "#fff" }), 400, /^Environment name must be unique$/);
  for (const [body, message] of [
    [{ name: "X" }, "color should not be null or undefined"],
    [{ name: "X", color: "red" }, "color must be a hexadecimal color"],
    [{ name: 5, color: "#fff" }, "name must be a string"],
    [{ name: "X", color: "#fff", parentId: "nope" }, "parentId must be a mongodb id"],
    [{ name: "x".repeat(101), color: "#fff" }, "name must be shorter than or equal to 100 characters"],
  ]) {
    const { status, body: answer } = await server.call("POST", "/v1/environments", body);
    assert.equal(status, 422);
    assert.ok(answer.errors.general.messages.includes(message), JSON.stringify(answer));
  }
  for (let i = 0; i < 7; i++) await novu.environments.create({ name: `More ${i}`, color: "#123456" });
  await fails(novu.environments.create({ name: "One too many", color: "#fff" }), 400, /cannot have more than 10 environments/);
});

test("a key changes its own environment and no other", async () => {
  const novu = api(server);
  const changed = await server.call("PUT", `/v1/environments/${server.dev._id}`, {
    color: "#00ff00",
    dns: { inboundParseDomain: "in.example.com" },
    settings: { readOnly: true, outbox: false },
  });
  assert.equal(changed.status, 200);
  assert.equal(changed.body.data.color, "#00ff00");
  assert.deepEqual(changed.body.data.settings, {
    outbox: false,
    readOnly: true,
    acceptsPublishByApiKey: true,
    workflowChannelOffIsFinal: false,
    strictSubscriberIds: false,
  });
  const back = await server.call("PUT", `/v1/environments/${server.dev._id}`, { settings: { readOnly: false, outbox: true } });
  assert.equal(back.body.data.settings.outbox, true);
  assert.equal(back.body.data.dns.inboundParseDomain, "in.example.com");
  await fails(novu.environments.update({ name: "Elsewhere" }, server.dev._id), 422, /name of this environment cannot be changed/);
  for (const id of [server.prod._id, "0123456789abcdef01234567", "nonsense"]) {
    await fails(novu.environments.update({ color: "#fff" }, id), 403, /scoped to a single environment/);
    await fails(novu.environments.delete(id), 403, /scoped to a single environment/);
  }
  await fails(novu.environments.delete(server.dev._id), 400, /Development environment is protected/);
});

test("tags of workflows are listed once each, and only of the caller's environment", async () => {
  const novu = api(server);
  const step = { name: "In", type: "in_app", controlValues: { body: "x" } };
  await novu.workflows.create({ name: "A", workflowId: "tag-a", steps: [step], tags: ["billing", "urgent"] });
  await novu.workflows.create({ name: "B", workflowId: "tag-b", steps: [step], tags: ["urgent", "weekly"] });
  const names = async (key) => (await novu.environments.getTags(key)).result.map((t) => t.name).sort();
  assert.deepEqual(await names(server.dev._id), ["billing", "urgent", "weekly"]);
  assert.deepEqual(await names(server.dev.applicationIdentifier), ["billing", "urgent", "weekly"]);
  await fails(novu.environments.getTags(server.prod._id), 404, /not found/);
});

test("a custom environment is deleted by its own key, which is void at once", async () => {
  await server.stop({ keep: true });
  server = await Carillon.start({ dir }); // credentials.json lists every environment of the store
  const staging = server.credentials.environments.find((e) => e.name === "Staging");
  const there = api(server, staging);
  await there.subscribers.create({ subscriberId: "s1" });
  assert.deepEqual((await server.call("DELETE", `/v1/environments/${staging._id}`, undefined, { key: staging.secretKey })).body, {});
  await fails(there.subscribers.search({ limit: 1 }), 401, /API Key not found/);
  assert.ok(!(await api(server).environments.list()).result.some((e) => e.name === "Staging"));
});
