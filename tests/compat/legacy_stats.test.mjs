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
