// What @novu/node 2.6.6 calls beside events, subscribers, topics and messages.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { watchAxios } from "./answers.mjs";
import { Carillon, program, until } from "./carillon.mjs";

const { Novu } = createRequire(import.meta.url)("@novu/node");
const nobody = "65f0c2a1b3d4e5f6ffffffff";
let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = new Novu(server.dev.secretKey, { backendUrl: server.url });
  watchAxios(novu.http);
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
  const { _id, id, _environmentId } = (await novu.notificationGroups.create("General")).data.data;
  assert.deepEqual([id, _environmentId], [_id, server.dev._id], "every environment has a General, which need not be the only one");
  assert.equal((await novu.notificationGroups.update(_id, { name: "Ops" })).data.data.name, "Ops");
  assert.equal((await novu.notificationGroups.getOne(_id)).data.data.name, "Ops");
  assert.deepEqual((await novu.notificationGroups.get()).data.data.map((g) => g.name), ["General", "Ops"]);
  const feed = (await novu.feeds.create("Ops")).data.data;
  assert.equal(feed.identifier, "ops");
  await fails(novu.feeds.create("Ops"), 409, /already exists/);
  await fails(novu.notificationGroups.getOne(feed._id), 404, /^Notification group with id [0-9a-f]{24} not found$/);
  assert.deepEqual((await novu.feeds.delete(feed._id)).data.data, []);
  await fails(novu.feeds.delete(feed._id), 404, /^Feed with id/);
  assert.deepEqual((await novu.notificationGroups.delete(_id)).data.data, { acknowledged: true, status: "deleted" });
  for (const call of [() => novu.notificationGroups.getOne(_id), () => novu.notificationGroups.update(_id, { name: "x" }), () => novu.notificationGroups.delete(_id)])
    await fails(call(), 404, /not found/);
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

test("workflow overrides of a tenant", async () => {
  const workflow = (await server.call("POST", "/v2/workflows", {
    name: "Overridden", workflowId: "overridden", active: true, __source: "dashboard",
    steps: [{ name: "in app", type: "in_app", controlValues: { body: "Hi" } }],
  })).body.data;
  const tenant = (await novu.tenants.create("umbrella", { name: "Umbrella" })).data.data;
  const overrides = novu.workflowOverrides;
  const every = { in_app: true, email: true, sms: true, push: true, chat: true };
  const made = (await overrides.create({ workflowId: workflow._id, tenantId: tenant._id, active: true, preferenceSettings: { email: false } })).data.data;
  assert.deepEqual([made._workflowId, made._tenantId, made.active, made.preferenceSettings], [workflow._id, tenant._id, true, { ...every, email: false }]);
  await fails(overrides.create({ workflowId: workflow._id, tenantId: tenant._id }), 409, /override/);
  await fails(overrides.create({ workflowId: "none", tenantId: tenant._id }), 404, /^Workflow with id none is not found$/);
  await fails(overrides.create({ workflowId: workflow._id, tenantId: "none" }), 404, /^Tenant with id none is not found$/);
  await fails(overrides.create({ workflowId: workflow._id, tenantId: tenant._id, preferenceSettings: { email: 1 } }), 422, /./);
  const changed = (await overrides.updateOneById(made._id, { active: false, preferenceSettings: { sms: false } })).data.data;
  assert.deepEqual([changed.active, changed.preferenceSettings], [false, { ...every, email: false, sms: false }]);
  assert.equal((await overrides.updateOneByTenantIdandWorkflowId(workflow._id, tenant._id, { active: true })).data.data.active, true);
  assert.equal((await overrides.getOneById(made._id)).data.data.active, true);
  assert.equal((await overrides.getOneByTenantIdandWorkflowId("overridden", "umbrella")).data.data._id, made._id);
  assert.deepEqual((await overrides.list(0, 10)).data.data.map((o) => o._id), [made._id]);
  assert.equal((await overrides.delete(made._id)).data.data, true);
  await fails(overrides.getOneById(made._id), 404, /^Workflow Override with id [0-9a-f]{24} not found$/);
  await fails(overrides.getOneByTenantIdandWorkflowId(workflow._id, tenant._id), 404, /^Workflow Override with workflowId/);
});

test("layouts of v1 are the layouts of v2", async () => {
  const create = (identifier, more) => novu.layouts.create({ name: identifier, identifier, content: "<main>{{{body}}}</main>", ...more });
  const first = (await create("first", { description: "The first", variables: [{ name: "x", type: "String" }] })).data.data._id;
  const second = (await create("second")).data.data._id;
  await fails(create("second"), 409, /^Layout with identifier: second already exists under environment [0-9a-f]{24}$/);
  await fails(create("none", { content: "<main></main>" }), 422, /./);
  await fails(create("a b"), 422, /./);
  const get = async (id) => (await server.call("GET", `/v1/layouts/${id}`)).body;
  assert.deepEqual(
    (({ name, identifier, description, content, isDefault, variables }) => ({ name, identifier, description, content, isDefault, variables }))((await get(first)).data),
    { name: "first", identifier: "first", description: "The first", content: "<main>{{{body}}}</main>", isDefault: true, variables: [{ name: "x", type: "String" }] });
  const v2 = (await server.call("GET", "/v2/layouts/first")).body.data;
  assert.deepEqual(v2.controls.values.email, { body: "<main>{{content}}</main>", editorType: "html" });
  const list = (await novu.layouts.list({ page: 0, pageSize: 1 })).data;
  assert.deepEqual([list.totalCount, list.pageSize, list.data.map((l) => l._id)], [2, 1, [second]]);
  const changed = (await novu.layouts.update(second, { name: "Second", content: "<b>{{{body}}}</b>" })).data.data;
  assert.deepEqual([changed.name, changed.content], ["Second", "<b>{{{body}}}</b>"]);
  await fails(novu.layouts.update(second, {}), 400, /^Payload can not be empty$/);
  await fails(novu.layouts.update(first, { isDefault: false }), 409, /^One default layout is required$/);
  await fails(novu.layouts.list({ page: 0, pageSize: 1001 }), 400, /^Page size can not be larger then 1000$/);
  await fails(novu.layouts.delete(first), 409, /default layout/);
  assert.equal((await novu.layouts.setDefault(second)).status, 204);
  assert.deepEqual([(await get(first)).data.isDefault, (await get(second)).data.isDefault], [false, true]);
  await server.call("POST", "/v2/workflows", {
    name: "Framed", workflowId: "framed", active: true, __source: "dashboard",
    steps: [{ name: "mail", type: "email", controlValues: { subject: "S", body: "B", layoutId: "first" } }],
  });
  await fails(novu.layouts.delete(first), 409, /is being used/);
  await server.call("DELETE", "/v2/workflows/framed");
  assert.equal((await novu.layouts.delete(first)).status, 204);
  await fails(novu.layouts.setDefault(first), 404, /^Layout not found for id [0-9a-f]{24} in the environment [0-9a-f]{24}$/);
});

test("the organization of a secret key", async () => {
  const me = (await novu.organizations.getCurrent()).data.data;
  assert.deepEqual((await novu.organizations.list()).data.data, [me]);
  assert.equal((await novu.organizations.rename({ name: "Acme" })).data.data.name, "Acme");
  const branding = { logo: "https://example.com/l.png", color: "#123456", fontFamily: "Inter" };
  assert.deepEqual((await novu.organizations.updateBranding(branding)).data.data, branding);
  const now = (await novu.organizations.getCurrent()).data.data;
  assert.deepEqual([now.name, now.branding], ["Acme", branding]);
  // Upstream: apps/api/src/app/organization/e2e/update-branding-details.e2e.ts.
  for (const [body, status] of [
    [{ logo: "http://example.com/l.png" }, 422], [{ logo: "https://example.com/l.exe" }, 422], [{ logo: "https://example.com/l" }, 422],
    [{ logo: "https://example.com/\"><b>.png" }, 422], [{ color: "red" }, 422], [{ fontColor: "#12345" }, 422], [{ contentBackground: "#fff;x" }, 422],
    ...["png", "jpg", "jpeg", "gif", "svg", "PNG", "png?v=1"].map((end) => [{ logo: `https://example.com/l.${end}` }, 200]),
    [branding, 200],
  ])
    assert.equal((await server.call("PUT", "/v1/organizations/branding", body)).status, status, JSON.stringify(body));
  const members = (await novu.organizations.getMembers()).data.data;
  assert.deepEqual(members.map((m) => m.roles), [["owner"]]);
  await fails(novu.organizations.removeMember(members[0]._id), 403, /secret key/);
  await fails(novu.organizations.updateMemberRole(members[0]._id, { role: "admin" }), 403, /secret key/);
  await fails(novu.organizations.create({ name: "Other" }), 403, /secret key/);
  await fails(novu.organizations.rename({ name: "" }), 422, /./);
});

test("changes have been replaced by publishing", async () => {
  await fails(novu.changes.applyOne(nobody), 404, /not found/);
  assert.deepEqual((await novu.changes.applyMany([])).data.data, []);
  await fails(novu.changes.applyMany([nobody]), 404, /publishing/);
});

test("what the steps of a notification tell", async () => {
  await novu.events.trigger("overridden", { to: "p1", payload: {}, transactionId: "tx-details" });
  const run = await until(async () => {
    const { body } = await server.call("GET", "/v1/notifications?transactionId=tx-details");
    return body.data?.[0]?.jobs?.some((job) => job.status === "completed") && body.data[0];
  }, "the run");
  const details = (await novu.executionDetails.get({ notificationId: run._id, subscriberId: "p1" })).data.data;
  assert.ok(details.length && details.every((d) => d._notificationId === run._id && d.detail && d.status), JSON.stringify(details));
  assert.deepEqual((await novu.executionDetails.get({ notificationId: run._id, subscriberId: "p2" })).data.data, []);
  assert.deepEqual((await novu.executionDetails.get({ notificationId: nobody, subscriberId: "p1" })).data.data, []);
  assert.equal((await server.call("GET", "/v1/execution-details?notificationId=x")).status, 422);
});

// What the client can call is what its prototypes say; where a call goes is recorded instead of sent.
test("every call of the client has a route", async () => {
  const routes = JSON.parse(execFileSync(program, ["routes", "--json"]))
    .filter((r) => r.path.startsWith("/v1/"))
    .map((r) => ({ ...r, match: new RegExp(`^${r.path.replace(/\{\w+\*\}/g, ".+").replace(/\{\w+\}/g, "[^/]+")}$`) }));
  const probe = new Novu("x", { backendUrl: "http://localhost:1" });
  const unknown = [];
  let calls = 0;
  for (const [group, methods] of Object.entries(probe).filter(([name, value]) => value?.http && name !== "notificationTemplates")) {
    for (const method of Object.getOwnPropertyNames(Object.getPrototypeOf(methods)).filter((name) => name !== "constructor")) {
      const seen = [];
      methods.http = Object.fromEntries(["get", "post", "put", "patch", "delete"].map((verb) =>
        [verb, async (path) => (seen.push([verb.toUpperCase(), `/v1/${path.split("?")[0].replace(/^\//, "")}`]), { data: { data: {} } })]));
      await methods[method]("a", "b", "c", "d");
      assert.equal(seen.length, 1, `${group}.${method}`);
      calls++;
      const [verb, path] = seen[0];
      if (!routes.some((r) => r.method === verb && r.match.test(path))) unknown.push(`${group}.${method}: ${verb} ${path}`);
    }
  }
  assert.ok(calls > 60, `${calls} calls`);
  assert.deepEqual(unknown, []);
});

test("a regenerated secret takes the place of the old one", async () => {
  const [before] = (await novu.environments.getApiKeys()).data.data;
  const [fresh] = (await novu.environments.regenerateApiKeys()).data.data;
  assert.match(fresh.key, /^[0-9a-f]{32}$/);
  assert.notEqual(fresh.key, before.key);
  await fails(novu.environments.getCurrent(), 401, /./);
  const after = new Novu(fresh.key, { backendUrl: server.url });
  assert.deepEqual((await after.environments.getApiKeys()).data.data, [fresh]);
});
