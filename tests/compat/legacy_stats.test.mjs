// Numbers of workflow runs, and /v1/workflows, the other name of /v1/notification-templates.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";

const DAY = 86400000;
let server;
before(async () => (server = await Carillon.start({ args: ["--clock", "virtual"] })));
after(() => server?.stop());
const get = async (path) => (await server.call("GET", path)).body.data;

test("/v1/workflows is what /v1/notification-templates is", async () => {
  const group = (await server.call("POST", "/v1/notification-groups", { name: "General" })).body.data;
  const steps = [{ template: { type: "in_app", content: "Hi {{name}}" } }];
  const { status, body } = await server.call("POST", "/v1/workflows", { name: "Old", notificationGroupId: group._id, active: true, steps });
  assert.equal(status, 201);
  const { _id } = body.data;
  assert.deepEqual(await get(`/v1/workflows/${_id}`), await get(`/v1/notification-templates/${_id}`));
  assert.equal((await server.call("GET", "/v1/workflows")).body.data[0]._id, _id);
  assert.equal((await server.call("PUT", `/v1/workflows/${_id}/status`, { active: false })).body.data.active, false);
  assert.equal((await server.call("PUT", `/v1/workflows/${_id}`, { name: "Older", notificationGroupId: group._id, steps })).body.data.name, "Older");
  assert.equal((await server.call("DELETE", `/v1/workflows/${_id}`)).body.data, true);
  assert.equal((await server.call("GET", `/v1/workflows/${_id}`)).status, 404);
});

test("runs are counted by week, month and day", async () => {
  assert.deepEqual(await get("/v1/notifications/stats"), { weeklySent: 0, monthlySent: 0 });
  assert.deepEqual(await get("/v1/notifications/graph/stats"), []);
  const flow = (await server.call("POST", "/v2/workflows", { name: "w", workflowId: "w", active: true,
    steps: [{ name: "a", type: "in_app", controlValues: { body: "x" } }, { name: "b", type: "email", controlValues: { subject: "s", body: "x" } }] })).body.data;
  const send = async (transactionId) => {
    await server.call("POST", "/v1/events/trigger", { name: "w", to: [`${transactionId}-a`, `${transactionId}-b`], transactionId });
    await until(async () => (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data.length === 2, "the runs");
  };
  await send("old");
  const [{ _id: first }] = await get("/v1/notifications/graph/stats");
  await server.call("POST", "/v1/testing/clock", { advance: "P10D" });
  await send("new");
  assert.deepEqual(await get("/v1/notifications/stats"), { weeklySent: 2, monthlySent: 4 });
  const second = new Date(Date.parse(first) + 10 * DAY).toISOString().slice(0, 10);
  const day = (_id) => ({ _id, count: 4, templates: [flow._id], channels: ["in_app", "email"] });
  assert.deepEqual(await get("/v1/notifications/graph/stats"), [day(second), day(first)]);
  assert.deepEqual(await get("/v1/notifications/graph/stats?days=5"), [day(second)]);
  for (const days of ["0", "x", "367"]) assert.equal((await server.call("GET", `/v1/notifications/graph/stats?days=${days}`)).status, 422);
});

test("older topics: oldest first, with their members also when renamed, in the older words", async () => {
  const call = (method, path, body) => server.call(method, `/v1/topics${path}`, body);
  for (const n of [1, 2, 3]) await call("POST", "", { key: `k${n}`, name: `n${n}` });
  await server.call("POST", "/v2/subscribers", { subscriberId: "member" });
  await call("POST", "/k1/subscribers", { subscribers: ["member"] });
  const first = (await call("GET", "?pageSize=2")).body;
  assert.deepEqual([first.data.map((t) => t.key), first.totalCount], [["k1", "k2"], 3]);
  assert.deepEqual((await call("GET", "?pageSize=2&page=1")).body.data.map((t) => t.key), ["k3"]);
  assert.deepEqual((await call("PATCH", "/k1", { name: "R" })).body.data.subscribers, ["member"]);
  const tooMany = await call("GET", "?pageSize=11");
  assert.deepEqual([tooMany.status, tooMany.body.message], [400, "Page size can not be larger then 10"]);
  const { _id } = (await get("/v1/environments/me"));
  for (const reply of [await call("GET", "/none"), await call("PATCH", "/none", { name: "x" }), await call("DELETE", "/none")])
    assert.deepEqual([reply.status, reply.body.message], [404, `Topic not found for id none in the environment ${_id}`]);
});

test("does a provider report back?", async () => {
  const made = async (body) => (await server.call("POST", "/v1/integrations", body)).body.data._id;
  const ask = async (id) => {
    const { status, body } = await server.call("GET", `/v1/integrations/webhook/provider/${id}/status`);
    return [status, body.data ?? body.message];
  };
  const nobody = "65f0c2a1b3d4e5f6ffffffff", bare = await made({ providerId: "sendgrid", channel: "email" });
  const chat = await made({ providerId: "slack", channel: "chat", credentials: { apiKey: "" } }), mail = await made({ providerId: "sendgrid", channel: "email", credentials: { apiKey: "x" } });
  assert.deepEqual(await ask(nobody), [404, `Integration for ${nobody} was not found`]);
  assert.deepEqual(await ask(bare), [400, `Integration ${bare} doesn't have credentials set up`]);
  assert.deepEqual(await ask(chat), [400, "Webhook for slack-chat is not supported yet"]);
  assert.deepEqual(await ask(mail), await ask("sendgrid"));
});
