// What Novu's own end-to-end tests of /v1/workflows settle, in our words.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";

let server, group;
before(async () => {
  server = await Carillon.start();
  group = (await server.call("GET", "/v1/notification-groups")).body.data[0]._id;
});
after(() => server.stop());

const make = async (body) => {
  const made = await server.call("POST", "/v1/workflows", { notificationGroupId: group, steps: [], ...body });
  assert.equal(made.status, 201, made.text);
  return made.body.data;
};
const put = (id, body) => server.call("PUT", `/v1/workflows/${id}`, body);
const filter = (value) => ({ isNegated: false, type: "GROUP", value: "AND", children: [{ on: "tenant", field: "name", value, operator: "EQUAL" }] });
const inApp = (content, more = {}) => ({ template: { type: "in_app", content, name: "Message Name", ...more } });
const text = [{ type: "text", content: "This is a sample text block" }];

test("what is made is a draft that is not active, with templates, variants and a group", async () => {
  const mail = { name: "Message Name", subject: "Test email subject", preheader: "Test preheader", senderName: "Sender", content: text, type: "email" };
  const better = { ...mail, name: "Better", subject: "Better subject", preheader: "Better preheader", senderName: "Better sender" };
  const w = await make({ name: "test email template", description: "D", tags: ["test-tag"], steps: [{ template: mail, filters: [filter("x")], variants: [{ template: better, active: true, filters: [filter("Titans")] }] }] });
  assert.deepEqual([w.draft, w.active, w.description, w.tags, w._notificationGroupId], [true, false, "D", ["test-tag"], group]);
  assert.deepEqual([w.triggers.length, w.triggers[0].type, w.triggers[0].identifier], [1, "event", "test-email-template"]);
  const [step] = w.steps;
  for (const key of ["name", "subject", "preheader", "senderName", "type", "content"]) {
    assert.deepEqual(step.template[key], mail[key], key);
    assert.deepEqual(step.variants[0].template[key], better[key], key);
  }
  assert.equal(step.template.active, true);
  assert.equal(step.variants[0].template.active, true);
  assert.deepEqual([step.filters[0].type, step.filters[0].children.length], ["GROUP", 1]);
  assert.deepEqual(step.replyCallback, {});
  const read = (await server.call("GET", `/v1/workflows/${w._id}`)).body.data;
  assert.ok(read.steps[0]._templateId);
  assert.deepEqual(read.steps[0].template.content, text);
});

test("steps hang on each other; so do variants; identifiers are made of names", async () => {
  const w = await make({ name: "chain", steps: [inApp("a"), inApp("b", { cta: { type: "redirect", data: { url: "https://example.org/profile" } } })] });
  assert.equal(w.steps[0]._parentId, null);
  assert.equal(w.steps[1]._parentId, w.steps[0]._id);
  assert.equal(w.steps[1].template.cta.data.url, "https://example.org/profile");
  assert.equal((await make({ name: "test" })).triggers[0].identifier, "test");
  assert.match((await make({ name: "test" })).triggers[0].identifier, /^test-./);
  const { body } = await put(w._id, {
    name: "new name",
    steps: [{ ...inApp("new content"), variants: [{ ...inApp("first"), filters: [filter("A")] }, { ...inApp("second"), filters: [filter("B")] }] }],
  });
  const [step] = body.data.steps;
  assert.deepEqual([body.data._id, body.data.name, body.data.steps.length, step.template.content], [w._id, "new name", 1, "new content"]);
  assert.deepEqual(step.variants.map((v) => v.template.content), ["first", "second"]);
  assert.equal(step.variants[0]._parentId, null);
  assert.equal(step.variants[1]._parentId, step.variants[0]._id);
});

test("an update changes steps, keeps those it names, and tells their variables", async () => {
  const w = await make({ name: "steps", steps: [{ template: { type: "email", name: "N", subject: "S", preheader: "p", senderName: "s", content: [] } }, { template: { type: "email", name: "N", subject: "S", content: [] } }] });
  const kept = w.steps.map((s) => ({ _id: s._id, _parentId: s._parentId, template: { type: "email", name: "N", subject: "S", preheader: "updated preheader", senderName: "updated sender", content: [] } }));
  const { body } = await put(w._id, { name: "steps", notificationGroupId: group, steps: [...kept, { template: { type: "email", name: "N", subject: "S", content: [] } }] });
  const steps = body.data.steps;
  assert.deepEqual([steps[0]._parentId, steps[1]._parentId, steps[2]._parentId], [null, steps[0]._id, steps[1]._id]);
  assert.deepEqual([steps[0]._id, steps[0].template.preheader, steps[0].template.senderName], [w.steps[0]._id, "updated preheader", "updated sender"]);

  const again = await put(w._id, { steps: [inApp("This is new content {{newVariable}}")] });
  assert.equal(again.body.data.triggers[0].variables[0].name, "newVariable");
  const html = (await put(w._id, { steps: [{ active: false, replyCallback: { active: true, url: "acme-corp.com/webhook" }, template: { type: "email", name: "N", contentType: "customHtml", content: "" } }] })).body.data.steps[0];
  assert.deepEqual([html.active, html.template.contentType, html.template.content], [false, "customHtml", ""]);
  assert.deepEqual([html.replyCallback.active, html.replyCallback.url], [true, "acme-corp.com/webhook"]);
});

test("identifiers stay; a button's action has a shape", async () => {
  const one = await make({ name: "one", steps: [inApp("x")] }), two = await make({ name: "two", steps: [inApp("x")] });
  for (const identifier of [one.triggers[0].identifier, "two-new"]) assert.equal((await put(two._id, { identifier })).status, 400, "ours never change");
  const kept = (await put(two._id, { identifier: "two", name: "Two" })).body.data;
  assert.deepEqual([kept._id, kept.name, kept.triggers[0].identifier], [two._id, "Two", "two"]);
  const bad = await put(two._id, { steps: [inApp("x", { cta: { action: "" } })] });
  assert.deepEqual([bad.status, bad.body.message], [400, "Please provide a valid CTA action"]);
});

test("settings of preferences are read back; status and deletion", async () => {
  const preferenceSettings = { in_app: true, sms: true, push: true, chat: true, email: false };
  const w = await make({ name: "settings", preferenceSettings, steps: [inApp("x")] });
  assert.deepEqual((await server.call("GET", `/v1/workflows/${w._id}`)).body.data.preferenceSettings, preferenceSettings);
  const on = (await server.call("PUT", `/v1/workflows/${w._id}/status`, { active: true })).body.data;
  assert.deepEqual([on.active, on.draft], [true, false]);
  const gone = await server.call("DELETE", `/v1/workflows/${w._id}`);
  assert.deepEqual([gone.status, gone.body.data], [200, true]);
  assert.equal((await server.call("GET", `/v1/workflows/${w._id}`)).status, 404);
});

test("overrides of tenants are listed by pages; what is not there is named", async () => {
  for (let i = 0; i < 3; i++) {
    const workflow = await make({ name: `overridden ${i}` });
    const tenant = (await server.call("POST", "/v1/tenants", { identifier: `tenant-${i}`, name: "T" })).body.data;
    const made = await server.call("POST", "/v1/workflow-overrides", { workflowId: workflow._id, tenantId: tenant._id, active: false, preferenceSettings: { email: false } });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual([made.body.data.deleted, made.body.data.active], [false, false]);
    const path = `/v1/workflow-overrides/workflows/${workflow._id}/tenants/${tenant._id}`;
    const changed = await server.call("PUT", path, { active: true, preferenceSettings: { email: true, sms: false } });
    assert.deepEqual(changed.body.data.preferenceSettings, { in_app: true, email: true, sms: false, push: true, chat: true });
    assert.deepEqual((await server.call("GET", path)).body.data, changed.body.data);
  }
  const list = async (query) => (await server.call("GET", `/v1/workflow-overrides${query}`)).body;
  assert.equal((await list("")).data.length, 3);
  const first = await list("?limit=2"), second = await list("?page=1&limit=2");
  assert.deepEqual([first.data.length, first.hasMore, second.data.length, second.hasMore], [2, true, 1, false]);
  const none = await server.call("DELETE", "/v1/workflow-overrides/64731d4e1084f5a48293ceab");
  assert.deepEqual([none.status, none.body.message], [404, "Workflow Override with id 64731d4e1084f5a48293ceab not found"]);
});

test("lists go from the newest, by pages, by name or identifier, without variants", async () => {
  const fresh = await Carillon.start();
  try {
    const notificationGroupId = (await fresh.call("GET", "/v1/notification-groups")).body.data[0]._id;
    const ids = [];
    for (let i = 0; i < 6; i++) {
      const made = await fresh.call("POST", "/v1/workflows", { notificationGroupId, name: i % 2 ? `SMS ${i}` : `mail ${i}`, steps: [{ ...inApp("x"), variants: [{ ...inApp("y"), filters: [filter("A")] }] }] });
      ids.push(made.body.data._id);
    }
    const other = await fresh.call("PUT", `/v1/workflows/${ids[1]}`, { name: "renamed" });
    assert.equal(other.body.data.triggers[0].identifier, "sms-1");
    const list = async (query) => (await fresh.call("GET", `/v1/workflows?${query}`)).body;
    const first = await list("page=0&limit=2");
    assert.deepEqual([first.data.length, first.totalCount, first.page, first.pageSize, first.data[0]._id], [2, 6, 0, 2, ids[5]]);
    const second = await list("page=1&limit=3");
    assert.deepEqual([second.data.length, second.totalCount, second.page, second.pageSize, second.data[2]._id], [3, 6, 1, 3, ids[0]]);
    const found = await list("page=0&limit=100&query=sms");
    assert.deepEqual([found.totalCount, found.data.map((w) => w._id).toSorted()], [3, [ids[1], ids[3], ids[5]].toSorted()]);
    const [one] = found.data;
    assert.equal(one.notificationGroup.name, "General");
    assert.equal(one.steps[0].variants, undefined);
  } finally {
    fresh.stop();
  }
});
