// A subscriber's preferences through @novu/api 3.19.1 and the v1 routes (rest-api.md §6.4, engine.md §6.2).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
const steps = [
  { name: "Bell", type: "in_app", controlValues: { body: "Hello" } },
  { name: "Mail", type: "email", controlValues: { subject: "S", body: "B" } },
  { name: "Text", type: "sms", controlValues: { body: "T" } },
];
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  const make = (workflowId, more = {}) => novu.workflows.create({ name: workflowId, workflowId, active: true, steps, ...more });
  await make("orders", { preferences: { user: { all: { enabled: true, readOnly: false }, channels: { sms: { enabled: false } } } } });
  await make("news", { steps: steps.slice(0, 2), tags: ["letters"] });
  await make("alarm", { preferences: { user: { all: { enabled: true, readOnly: true }, channels: {} } } });
  await make("asleep", { active: false });
});
after(() => server?.stop());

let person = 0;
const someone = async () => {
  const subscriberId = `p${person++}`;
  await novu.subscribers.create({ subscriberId });
  return subscriberId;
};
const list = async (subscriberId, more = {}) => (await novu.subscribers.preferences.list({ subscriberId, ...more })).result;
const workflow = (answer, identifier) => answer.workflows.find((w) => w.workflow.identifier === identifier);

test("what nobody chose is as the workflows say", async () => {
  const answer = await list(await someone());
  assert.deepEqual(answer.workflows.map((w) => w.workflow.identifier).sort(), ["news", "orders"]);
  const orders = workflow(answer, "orders");
  assert.deepEqual(orders.channels, { inApp: true, email: true, sms: false });
  assert.deepEqual(orders.overrides.map((o) => o.source), ["template", "template", "template"]);
  assert.match(orders.workflow.slug, /^orders_wf_[0-9A-Za-z]{16}$/);
  assert.deepEqual(workflow(answer, "news").channels, { inApp: true, email: true });
  assert.equal(answer.global.enabled, true);
  assert.deepEqual(answer.global.channels, { inApp: true, email: true, sms: true });
});

test("criticality", async () => {
  const subscriberId = await someone();
  const names = async (criticality) => (await list(subscriberId, { criticality })).workflows.map((w) => w.workflow.identifier).sort();
  assert.deepEqual(await names("critical"), ["alarm"]);
  assert.deepEqual(await names("all"), ["alarm", "news", "orders"]);
  assert.equal((await server.call("GET", `/v2/subscribers/${subscriberId}/preferences?criticality=some`)).status, 422);
});

test("a workflow's choice beats the global one, and a new global one resets it", async () => {
  const subscriberId = await someone();
  const update = (body) => novu.subscribers.preferences.update(body, subscriberId);
  await update({ channels: { email: false } });
  assert.equal(workflow(await list(subscriberId), "news").channels.email, false);
  const { result } = await update({ channels: { email: true }, workflowId: "news" });
  assert.equal(workflow(result, "news").channels.email, true);
  assert.equal(workflow(result, "orders").channels.email, false);
  assert.deepEqual(workflow(result, "orders").overrides.find((o) => o.channel === "email"), { channel: "email", source: "subscriber" });
  const { result: reset } = await update({ channels: { email: false } });
  assert.equal(workflow(reset, "news").channels.email, false);
  assert.equal(reset.global.channels.email, false);
  /* The merge lets a person overrule a channel that the workflow has off. */
  assert.equal(workflow((await update({ channels: { sms: true }, workflowId: "orders" })).result, "orders").channels.sms, true);
});

test("schedules, and contexts of their own", async () => {
  const subscriberId = await someone();
  const schedule = { isEnabled: true, weeklySchedule: { monday: { isEnabled: true, hours: [{ start: "09:00 AM", end: "05:00 PM" }] } } };
  const { result } = await novu.subscribers.preferences.update({ schedule, channels: { sms: false }, workflowId: "news" }, subscriberId);
  assert.deepEqual(result.global.schedule, schedule);
  await novu.subscribers.preferences.update({ channels: { email: false }, workflowId: "news", context: { tenant: "acme" } }, subscriberId);
  assert.equal(workflow(await list(subscriberId, { contextKeys: ["tenant:acme"] }), "news").channels.email, false);
  assert.equal(workflow(await list(subscriberId, { contextKeys: [""] }), "news").channels.email, true);
  assert.equal(workflow(await list(subscriberId), "news").channels.email, true);
  assert.equal((await novu.contexts.retrieve("acme", "tenant")).result.id, "acme");
  assert.deepEqual((await server.call("GET", `/v2/subscribers/${subscriberId}/preferences/global`)).body.data.schedule, schedule);
});

test("many at once: all or nothing, the last of equal ones counts", async () => {
  const subscriberId = await someone();
  const { result } = await novu.subscribers.preferences.bulkUpdate(
    { preferences: [{ workflowId: "orders", channels: { email: false } }, { workflowId: "news", channels: { email: true } }, { workflowId: "news", channels: { email: false } }] },
    subscriberId,
  );
  assert.deepEqual(result.map((p) => [p.workflow.identifier, p.channels.email, p.level]), [["orders", false, "template"], ["news", false, "template"]]);
  const before = await list(subscriberId);
  const path = `/v2/subscribers/${subscriberId}/preferences/bulk`;
  const ok = { workflowId: "orders", channels: { email: true } }, alarm = (await server.call("GET", "/v2/workflows/alarm")).body.data._id;
  const cases = [
    [{ preferences: [] }, 400, /^No preferences provided for bulk update$/],
    [{}, 422, /preferences should not be null or undefined/],
    [{ preferences: Array(101).fill(ok) }, 422, /preferences must contain no more than 100 elements/],
    [{ preferences: [ok, { workflowId: "a", channels: {} }, { workflowId: "b", channels: {} }] }, 404, /^Workflows with ids: a, b not found$/],
    [{ preferences: [ok, { workflowId: "alarm", channels: {} }] }, 400, new RegExp(`^Critical workflows with ids: ${alarm} cannot be updated$`)],
    [{ preferences: [ok, { channels: { email: 1 } }] }, 422, /preferences\.1\.workflowId must be a string; preferences\.1\.channels\.email must be a boolean value/],
  ];
  for (const [body, status, message] of cases) {
    const answer = await server.call("PATCH", path, body);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.body.errors?.general?.messages?.join("; ") ?? answer.body.message, message);
  }
  assert.deepEqual(await list(subscriberId), before);
});

test("what single changes refuse", async () => {
  const subscriberId = await someone();
  const cases = [
    [{ workflowId: "nope", channels: {} }, 404, /^Workflow cannot be found$/],
    [{ workflowId: "alarm", channels: { email: false } }, 400, /^Critical workflow with id: alarm can not be updated$/],
    [{ channels: { email: "no" } }, 422, /channels\.email must be a boolean value/],
    [{ channels: [] }, 422, /channels must be an object/],
    [{ schedule: { isEnabled: true, weeklySchedule: { monday: { isEnabled: true, hours: [{ start: "9", end: "05:00 PM" }] } } } }, 422, /monday\.hours\.0\.start must be in 12-hour format/],
    [{ schedule: {} }, 422, /schedule\.isEnabled must be a boolean value/],
    [{ context: { "a b": "1" } }, 422, /context type "a b"/],
  ];
  for (const [body, status, message] of cases) {
    const answer = await server.call("PATCH", `/v2/subscribers/${subscriberId}/preferences`, body);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.body.errors?.general?.messages?.join("; ") ?? answer.body.message, message);
  }
  for (const [method, path] of [["GET", ""], ["PATCH", ""], ["GET", "/global"]])
    assert.match((await server.call(method, `/v2/subscribers/nobody/preferences${path}`, method === "GET" ? undefined : {})).body.message, /^Subscriber with id: nobody not found$/);
});

test("v1", async () => {
  const subscriberId = await someone();
  const call = (method, path, body) => server.call(method, `/v1/subscribers/${subscriberId}/preferences${path}`, body);
  const all = (await call("GET", "")).body.data;
  assert.equal(all.length, 3);
  const news = all.find((p) => p.template.name === "news");
  assert.deepEqual(news.preference.channels, { in_app: true, email: true });
  assert.equal(news.template.triggers[0].identifier, "news");
  const one = await call("PATCH", `/${news.template._id}`, { channel: { type: "email", enabled: false } });
  assert.deepEqual(one.body.data.preference.channels, { in_app: true, email: false });
  const off = await call("PATCH", "/news", { enabled: false });
  assert.deepEqual(off.body.data.preference.channels, { in_app: false, email: false });
  const on = await call("PATCH", "/news", { enabled: true });
  assert.deepEqual(on.body.data.preference.channels, { in_app: true, email: true });
  const global = await call("PATCH", "", { preferences: [{ type: "email", enabled: false }] });
  assert.equal(global.body.data.preference.channels.email, false);
  assert.equal((await call("GET", "/global")).body.data[0].preference.channels.email, false);
  assert.equal((await call("GET", "/template")).body.data.length, 3);
  assert.equal((await call("GET", "/other")).status, 422);
  assert.equal((await call("PATCH", "/news", { channel: { type: "pigeon", enabled: true } })).status, 422);
  assert.equal((await call("PATCH", "/alarm", { enabled: false })).status, 400);
});
