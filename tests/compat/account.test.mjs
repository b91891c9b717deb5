// What the command line and older dashboards ask about the person behind a key, and what this server has no part of:
// telemetry, uploaded code of steps, Meta's signup (rest-api.md §6.20, bridge-cli.md §5, §6.1).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";

const nobody = "65f0c2a1b3d4e5f6ffffffff";
let server, member;
before(async () => {
  server = await Carillon.start();
  [member] = (await server.call("GET", "/v1/organizations/members")).body.data;
});
after(() => server?.stop());

const me = async (key) => (await server.call("GET", "/v1/users/me", undefined, { key })).body.data;

test("a key acts for the person who made it", async () => {
  const { createdAt, ...rest } = await me(server.dev.secretKey);
  assert.deepEqual(rest, {
    _id: member._userId, firstName: "Owner", lastName: null, email: null, profilePicture: null, showOnBoarding: false,
    servicesHashes: {}, hasPassword: false,
  });
  assert.ok(Math.abs(Date.now() - Date.parse(createdAt)) < 60000, createdAt);
  assert.deepEqual(await me(server.prod.secretKey), { ...rest, createdAt });
  assert.equal((await server.call("GET", "/v1/users/me", undefined, { key: "0".repeat(32) })).status, 401);
});

test("that person's name and picture", async () => {
  const before = await me(server.dev.secretKey);
  const put = (body) => server.call("PUT", "/v1/users/profile", body);
  const picture = "https://example.com/profile-picture.jpg";
  // Upstream: apps/api/src/app/user/e2e/update-name-and-profile-picture.e2e.ts.
  for (const body of [{ firstName: "", lastName: "Doe" }, { firstName: "John", lastName: "" }, { firstName: " ", lastName: "Doe" }]) {
    const refused = await put(body);
    assert.deepEqual([refused.status, refused.body.message], [400, "First name and last name are required"]);
  }
  for (const body of [{ lastName: "Doe" }, { firstName: 1, lastName: "Doe" }, { firstName: "John", lastName: null },
    { firstName: "x".repeat(101), lastName: "Doe" }, { firstName: "John", lastName: "Doe", profilePicture: "http://example.com/a.jpg" },
    { firstName: "John", lastName: "Doe", profilePicture: "https://example.com/a.exe" },
    { firstName: "John", lastName: "Doe", profilePicture: `https://example.com/${"a".repeat(2048)}.jpg` }])
    assert.equal((await put(body)).status, 422, JSON.stringify(body));
  assert.deepEqual(await me(server.dev.secretKey), before, "what is refused changes nothing");
  const set = await put({ firstName: "John", lastName: "Doe", profilePicture: picture });
  assert.deepEqual([set.status, set.body.data], [200, { ...before, firstName: "John", lastName: "Doe", profilePicture: picture }]);
  await put({ firstName: "Jane", lastName: "Doe" });
  const now = await me(server.prod.secretKey);
  assert.deepEqual([now.firstName, now.profilePicture], ["Jane", picture], "a picture that is not given stays");
  const [{ user }] = (await server.call("GET", "/v1/organizations/members")).body.data;
  assert.deepEqual([user.firstName, user.lastName], ["Jane", "Doe"]);
});

test("whether that person is to be shown around", async () => {
  const put = (body) => server.call("PUT", "/v1/users/onboarding", body);
  const before = await me(server.dev.secretKey);
  assert.equal((await put({ showOnBoarding: "yes" })).status, 422);
  assert.deepEqual((await put({ showOnBoarding: true })).body.data, { ...before, showOnBoarding: true });
  assert.equal((await me(server.dev.secretKey)).showOnBoarding, true);
  assert.equal((await put({ showOnBoarding: false })).body.data.showOnBoarding, false);
});

test("telemetry is taken and dropped", async () => {
  const measured = await server.call("POST", "/v1/telemetry/measure", { event: "Sync", data: { a: 1 } });
  assert.deepEqual([measured.status, measured.body], [201, { data: { success: true } }]);
  const identified = await server.call("POST", "/v1/telemetry/identify", { anonymousId: "a", hubspotContext: "b" });
  assert.deepEqual([identified.status, identified.text], [204, ""]);
  assert.equal((await server.call("POST", "/v1/telemetry/measure", {}, { key: "0".repeat(32) })).status, 401);
});

test("code of steps is refused, however large, and no step has any", async () => {
  const count = await server.call("GET", "/v2/step-resolvers/count");
  assert.deepEqual([count.status, count.body], [200, { data: { count: 0 } }]);
  const form = new FormData();
  form.append("manifest", JSON.stringify({ steps: [{ workflowId: "w", stepId: "s", stepType: "email" }] }));
  form.append("bundle", new Blob(["x".repeat(10 * 1024 * 1024)], { type: "application/javascript+module" }), "worker.mjs");
  const deployed = await fetch(`${server.url}/v2/step-resolvers/deploy`, {
    method: "POST", body: form, headers: { Authorization: `ApiKey ${server.dev.secretKey}` },
  });
  assert.deepEqual([deployed.status, (await deployed.json()).message], [403, "Step resolver feature is not enabled for this organization"]);
});

test("a step without such code is disconnected already, and keeps what it says", async () => {
  const { body: { data: { workflowId, steps: [step] } } } = await server.call("POST", "/v2/workflows", {
    name: "W", workflowId: "w", __source: "dashboard", steps: [{ name: "S", type: "in_app", controlValues: { body: "Hi" } }],
  });
  const disconnect = (id, body) => server.call("DELETE", `/v2/step-resolvers/${id}/disconnect`, body);
  const done = await disconnect(step._id, { stepType: "in_app" });
  assert.deepEqual([done.status, done.body], [200, {}]);
  assert.equal((await server.call("GET", `/v2/workflows/${workflowId}`)).body.data.steps[0].controls.values.body, "Hi");
  const trigger = await disconnect(step._id, { stepType: "trigger" });
  assert.deepEqual([trigger.status, trigger.body.message], [400, "Step type 'trigger' does not support step resolvers."]);
  assert.equal((await disconnect(step._id, {})).status, 422);
  for (const id of [nobody, "x"]) assert.equal((await disconnect(id, { stepType: "in_app" })).status, 404);
});

test("what templates of older workflows may use", async () => {
  const { status, body: { data } } = await server.call("GET", "/v1/workflows/variables");
  assert.equal(status, 200);
  assert.deepEqual(data.translations, {});
  assert.deepEqual(Object.keys(data.system), ["subscriber", "actor", "step", "branding", "tenant"]);
  assert.deepEqual(data.system.step, { digest: "boolean", events: "array", total_count: "number" });
  assert.deepEqual(data.system.actor, data.system.subscriber);
});

test("WhatsApp's embedded signup is not offered", async () => {
  const { status, body } = await server.call("GET", "/v1/integrations/whatsapp/embedded-signup/availability");
  assert.deepEqual([status, body], [200, { data: { available: false, reason: "feature_disabled" } }]);
});
