// What @novu/node 2.6.6 calls beside events, subscribers, topics and messages.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Carillon } from "./carillon.mjs";

const { Novu } = createRequire(import.meta.url)("@novu/node");
let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = new Novu(server.dev.secretKey, { backendUrl: server.url });
});
after(() => server?.stop());

const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.response?.status, status, error.message);
    assert.match(error.response.data.message, message);
    return true;
  });

test("tenants are made, changed, listed and deleted", async () => {
  const made = (await novu.tenants.create("acme", { name: "Acme", data: { plan: "pro" } })).data.data;
  assert.deepEqual([made.identifier, made.name, made.data], ["acme", "Acme", { plan: "pro" }]);
  await fails(novu.tenants.create("acme", {}), 409, /^Tenant with identifier: acme already exists under environment [0-9a-f]{24}$/);
  await novu.tenants.create("other", { name: "Other" });
  const changed = (await novu.tenants.update("acme", { name: "ACME" })).data.data;
  assert.deepEqual([changed._id, changed.name, changed.data], [made._id, "ACME", { plan: "pro" }]);
  await fails(novu.tenants.update("acme", { identifier: "other" }), 409, /other already exists/);
  const page = (await novu.tenants.list({ page: 0, limit: 1 })).data;
  assert.deepEqual([page.page, page.hasMore, page.pageSize, page.data.map((t) => t.identifier)], [0, true, 1, ["other"]]);
  assert.deepEqual((await novu.tenants.list({ page: 1, limit: 1 })).data.data.map((t) => t.identifier), ["acme"]);
  assert.equal((await novu.tenants.delete("acme")).status, 204);
  await fails(novu.tenants.get("acme"), 404, /^Tenant with identifier: acme does not exist under environment [0-9a-f]{24}$/);
  assert.equal((await server.call("POST", "/v1/tenants", {})).status, 422);
  assert.equal((await server.call("GET", "/v1/tenants/other", undefined, { key: server.prod.secretKey })).status, 404);
});

test("notification groups and feeds", async () => {
  const { _id } = (await novu.notificationGroups.create("General")).data.data;
  await fails(novu.notificationGroups.create("General"), 409, /already exists/);
  assert.equal((await novu.notificationGroups.update(_id, { name: "Ops" })).data.data.name, "Ops");
  assert.equal((await novu.notificationGroups.getOne(_id)).data.data.name, "Ops");
  assert.deepEqual((await novu.notificationGroups.get()).data.data.map((g) => g.name), ["Ops"]);
  const feed = (await novu.feeds.create("Ops")).data.data;
  assert.equal(feed.identifier, "ops");
  await fails(novu.notificationGroups.getOne(feed._id), 404, /^Notification group with id [0-9a-f]{24} not found$/);
  assert.deepEqual((await novu.feeds.delete(feed._id)).data.data, []);
  await fails(novu.feeds.delete(feed._id), 404, /^Feed with id/);
  assert.deepEqual((await novu.notificationGroups.delete(_id)).data.data, { acknowledged: true, status: "deleted" });
  await fails(novu.notificationGroups.getOne("x"), 404, /not found/);
});

test("questions with a known answer", async () => {
  const { data } = await novu.changes.get({});
  assert.deepEqual([data.data, data.totalCount], [[], 0]);
  assert.equal((await novu.changes.getCount()).data.data, 0);
  assert.equal((await novu.inboundParse.getMxStatus()).data.data.mxRecordConfigured, false);
  assert.equal(typeof (await novu.integrations.getInAppStatus()).data.data.active, "boolean");
  const status = async (id) => (await server.call("GET", `/v1/integrations/webhook/provider/${id}/status`)).body.data;
  assert.equal(await status("mailgun"), true);
  assert.equal(await status("nodemailer"), false);
  const made = (await novu.integrations.create("mailjet", { channel: "email", credentials: {}, active: true })).data.data;
  assert.equal(await status(made._id), true);
  assert.equal((await novu.environments.getCurrent()).data.data.name, "Development");
});
