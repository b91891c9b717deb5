// Preferences, schedules and contexts as @novu/js reads and writes them.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api, inbox } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  const steps = [
    { name: "In", type: "in_app", controlValues: { body: "x" } },
    { name: "Mail", type: "email", controlValues: { subject: "s", body: "<p>b</p>", editorType: "html" } },
  ];
  await novu.workflows.create({ name: "News", workflowId: "news", active: true, steps, tags: ["a"] });
  await novu.workflows.create({ name: "Other", workflowId: "other", active: true, steps: steps.slice(0, 1), tags: ["b"] });
  const critical = { user: { all: { enabled: true, readOnly: true }, channels: {} } };
  await server.call("POST", "/v2/workflows", { name: "Codes", workflowId: "codes", active: true, steps, preferences: critical });
});
after(() => server.stop());

const ok = ({ data, error }) => {
  assert.equal(error, undefined, error?.message);
  return data;
};
const schedule = { isEnabled: true, weeklySchedule: { monday: { isEnabled: true, hours: [{ start: "09:00 AM", end: "05:00 PM" }] } } };

test("the global preference comes first, then the workflows that are not critical", async () => {
  const session = inbox(server, "p1");
  const list = ok(await session.preferences.list());
  assert.deepEqual(list.map((p) => [p.level, p.workflow?.identifier]), [["global", undefined], ["template", "news"], ["template", "other"]]);
  assert.deepEqual(list[0].channels, { email: true, in_app: true });
  assert.deepEqual(list[2].channels, { in_app: true });
  const all = ok(await inbox(server, "p1").preferences.list({ criticality: "all" }));
  assert.equal(all.find((p) => p.workflow?.identifier === "codes").workflow.critical, true);
  assert.deepEqual(ok(await inbox(server, "p1").preferences.list({ tags: ["b"] })).map((p) => p.workflow?.identifier), [undefined, "other"]);
});

test("a choice persists; a global one resets it; a critical workflow takes none", async () => {
  // A session of its own each time: the client keeps what it has read.
  const find = async (level, identifier) =>
    ok(await inbox(server, "p2").preferences.list({ criticality: "all" })).find((p) => p.level === level && p.workflow?.identifier === identifier);
  const news = await find("template", "news");
  const changed = ok(await news.update({ channels: { email: false } }));
  assert.deepEqual(changed.channels, { email: false, in_app: true });
  assert.deepEqual((await find("template", "news")).channels, { email: false, in_app: true });
  ok(await (await find("global")).update({ channels: { email: true } }));
  assert.deepEqual((await find("template", "news")).channels, { email: true, in_app: true });
  const { error } = await (await find("template", "codes")).update({ channels: { email: false } });
  assert.match(error.originalError?.message ?? error.message, /can not be updated|Failed to update preference/);
});

test("a choice rules what is sent", async () => {
  const session = inbox(server, "p3");
  const news = ok(await session.preferences.list()).find((p) => p.workflow?.identifier === "news");
  ok(await news.update({ channels: { email: false } }));
  await novu.trigger({ workflowId: "news", to: { subscriberId: "p3", email: "p3@example.com" }, transactionId: "t-p3" });
  const run = (await novu.notifications.list({ transactionId: "t-p3" })).result.data[0];
  const mail = run.jobs.find((j) => j.type === "email");
  assert.ok(mail.executionDetails.some((e) => e.detail === "Step filtered by subscriber workflow preferences"), JSON.stringify(mail.executionDetails));
});

test("many at once, in the order of the request", async () => {
  const session = inbox(server, "p4");
  const list = ok(await session.preferences.list());
  const [, news, other] = list;
  const changed = ok(await session.preferences.bulkUpdate([
    { preference: other, channels: { in_app: false } },
    { preference: news, channels: { email: false, in_app: false } },
  ]));
  assert.deepEqual(changed.map((p) => [p.workflow.identifier, p.channels]), [["other", { in_app: false }], ["news", { email: false, in_app: false }]]);
  const twice = ok(await session.preferences.bulkUpdate([
    { workflowId: news.workflow.id, channels: { email: true, in_app: true } }, { workflowId: "other", channels: { in_app: true } }, { workflowId: "news", channels: { email: false } },
  ]));
  assert.deepEqual(twice.map((p) => [p.workflow.identifier, p.channels]), [["news", { email: false, in_app: false }], ["other", { in_app: true }]]);
});

test("bulk mistakes change nothing", async () => {
  const { body } = await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriber: "p5" }, { key: null });
  const patch = (preferences) =>
    server.call("PATCH", "/v1/inbox/preferences/bulk", { preferences }, { key: null, headers: { Authorization: `Bearer ${body.data.token}` } });
  const missing = await patch([{ workflowId: "news", email: false }, { workflowId: "nope", email: false }, { workflowId: "nil", email: true }]);
  assert.deepEqual([missing.status, missing.body.message], [404, "Workflows with ids: nope, nil not found"]);
  const codesId = (await server.call("GET", "/v2/workflows/codes")).body.data._id;
  const critical = await patch([{ workflowId: "codes", email: false }]);
  assert.deepEqual([critical.status, critical.body.message], [400, `Critical workflows with ids: ${codesId} cannot be updated`]);
  assert.equal((await patch([])).status, 400);
  assert.equal((await patch(Array(101).fill({ workflowId: "news" }))).status, 422);
  const wrong = await patch([{ workflowId: "news", email: "no" }]);
  assert.ok(wrong.body.errors.general.messages.includes("preferences.0.email must be a boolean value"), wrong.text);
  const list = ok(await inbox(server, "p5").preferences.list());
  assert.deepEqual(list.find((p) => p.workflow?.identifier === "news").channels, { email: true, in_app: true });
});

test("a schedule is kept; a default one is only for who has none", async () => {
  const first = inbox(server, "p6", { defaultSchedule: schedule });
  const stored = ok(await first.preferences.schedule.get());
  assert.equal(stored.isEnabled, true);
  assert.deepEqual(stored.weeklySchedule.monday, schedule.weeklySchedule.monday);
  ok(await stored.update({ isEnabled: false }));
  const again = inbox(server, "p6", { defaultSchedule: schedule });
  assert.equal(ok(await again.preferences.schedule.get()).isEnabled, false);
  const bad = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier,
    subscriber: "p7",
    defaultSchedule: { isEnabled: true, weeklySchedule: { monday: { isEnabled: true, hours: [{ start: "25:00", end: "x" }] } } },
  }, { key: null });
  assert.equal(bad.status, 422);
});

test("contexts keep feeds and choices apart, and are made by a session", async () => {
  const acme = inbox(server, "p8", { context: { tenant: "acme", region: { id: "eu", data: { x: 1 } } } });
  const plain = inbox(server, "p8");
  await novu.trigger({ workflowId: "other", to: "p8", context: { tenant: "acme", region: "eu" }, transactionId: "ctx" });
  await novu.trigger({ workflowId: "other", to: "p8", transactionId: "noctx" });
  const ids = async (client) => ok(await client.notifications.list()).notifications.map((n) => n.transactionId);
  assert.deepEqual(await ids(acme), ["ctx"]);
  assert.deepEqual(await ids(plain), ["noctx"]);
  assert.deepEqual((await novu.contexts.retrieve("eu", "region")).result.data, { x: 1 });
  const [, , other] = ok(await acme.preferences.list());
  ok(await other.update({ channels: { in_app: false } }));
  assert.equal(ok(await plain.preferences.list())[2].channels.in_app, true);
  assert.equal(ok(await acme.preferences.list())[2].channels.in_app, false);
});
