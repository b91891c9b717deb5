// Environment variables with the real client: scoping to the key's environment, secrets that stay secret, usage.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server.stop());

const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status);
    assert.match(JSON.parse(error.body).message, message);
    return true;
  });
const here = (value) => [{ environmentId: server.dev._id, value }];

test("a variable is made, read, listed, changed and deleted", async () => {
  const made = (await novu.environmentVariables.create({ key: "BASE_URL", values: here("https://a.example") })).result;
  assert.equal(made.key, "BASE_URL");
  assert.equal(made.type, "string");
  assert.equal(made.isSecret, false);
  assert.deepEqual(made.values, [{ environmentId: server.dev._id, value: "https://a.example" }]);
  await novu.environmentVariables.create({ key: "brand", values: here("Acme") });
  assert.deepEqual((await novu.environmentVariables.list()).result.map((v) => v.key), ["BASE_URL", "brand"]);
  assert.deepEqual((await novu.environmentVariables.list("base")).result.map((v) => v.key), ["BASE_URL"]);
  const changed = (await novu.environmentVariables.update({ values: here("https://b.example") }, "BASE_URL")).result;
  assert.equal(changed.values[0].value, "https://b.example");
  assert.equal((await novu.environmentVariables.retrieve("BASE_URL")).result.values[0].value, "https://b.example");
  await novu.environmentVariables.delete("brand");
  await fails(novu.environmentVariables.retrieve("brand"), 404, /^Environment variable with key "brand" not found$/);
});

test("a secret value is never shown again, and its mask is no value", async () => {
  const made = await server.call("POST", "/v1/environment-variables", {
    key: "API_SECRET",
    isSecret: true,
    values: [{ _environmentId: server.dev._id, value: "hunter2-canary" }],
  });
  assert.equal(made.status, 200);
  const all = await server.call("GET", "/v1/environment-variables");
  assert.ok(!made.text.includes("canary") && !all.text.includes("canary"));
  const mask = made.body.data.values[0].value;
  await fails(novu.environmentVariables.update({ values: here(mask) }, "API_SECRET"), 400, /mask/);
  for (const shown of [mask, "\u2022".repeat(8)]) {
    const refused = await server.call("POST", "/v1/environment-variables", { key: "MASKED", isSecret: true, values: [{ _environmentId: server.dev._id, value: shown }] });
    assert.equal(refused.status, 400, "nor that of a new one");
    assert.match(refused.text, /mask/);
  }
  assert.ok(!server.log.includes("canary"));
});

test("another environment has its own value of the same key, and sees no other", async () => {
  const there = api(server, server.prod);
  await novu.environmentVariables.create({ key: "SHARED", values: here("dev value") });
  assert.deepEqual((await there.environmentVariables.retrieve("SHARED")).result.values, []);
  await fails(there.environmentVariables.update({ values: here("stolen") }, "SHARED"), 403, /scoped to a single environment/);
  await there.environmentVariables.update({ values: [{ environmentId: server.prod._id, value: "prod value" }] }, "SHARED");
  assert.deepEqual((await novu.environmentVariables.retrieve("SHARED")).result.values, [
    { environmentId: server.dev._id, value: "dev value" },
  ]);
  await novu.environmentVariables.delete("SHARED");
  assert.equal((await there.environmentVariables.retrieve("SHARED")).result.values[0].value, "prod value");
  await fails(novu.environmentVariables.delete("SHARED"), 404, /not found/);
  await there.environmentVariables.delete("SHARED");
  await fails(there.environmentVariables.retrieve("SHARED"), 404, /not found/);
});

test("bad variables are refused with the reason", async () => {
  await novu.environmentVariables.create({ key: "TWICE" });
  await fails(novu.environmentVariables.create({ key: "TWICE" }), 409, /"TWICE" already exists/);
  await fails(novu.environmentVariables.update({}, "TWICE"), 400, /^At least one field must be provided to update$/);
  await fails(novu.environmentVariables.update({ key: "OTHER" }, "TWICE"), 403, /cannot change the key/);
  for (const [body, message] of [
    [{ key: "1st" }, "key must start with a letter and contain only letters, digits and underscores"],
    [{ key: "x".repeat(257) }, "key must be shorter than or equal to 256 characters"],
    [{}, "key must be a string"],
    [{ key: "K", type: "number" }, "type must be one of the following values: string"],
    [{ key: "K", values: "no" }, "values must be an array"],
    [{ key: "K", values: [{ _environmentId: "x", value: "v" }] }, "values.0._environmentId must be a mongodb id"],
    [{ key: "K", values: [{ _environmentId: server.dev._id, value: "v".repeat(257) }] }, "values.0.value must be shorter than or equal to 256 characters"],
    [{ key: "K", values: [1, 2].map(() => ({ _environmentId: server.dev._id, value: "v" })) }, "Duplicate _environmentId in values"],
  ]) {
    const { status, body: answer } = await server.call("POST", "/v1/environment-variables", body);
    assert.equal(status, 422, JSON.stringify(answer));
    assert.ok(answer.errors.general.messages.includes(message), JSON.stringify(answer));
  }
});

test("usage names the workflows whose steps mention the variable", async () => {
  await novu.environmentVariables.create({ key: "SITE", values: here("x") });
  const step = (body) => [{ name: "In", type: "in_app", controlValues: { body } }];
  await novu.workflows.create({ name: "Uses", workflowId: "uses", steps: step("{{env.SITE}}") });
  await novu.workflows.create({ name: "Other", workflowId: "other", steps: step("{{env.SITE_NAME}} {{payload.env.SITEX}}") });
  assert.deepEqual((await novu.environmentVariables.usage("SITE")).result.workflows, [{ name: "Uses", workflowId: "uses" }]);
});

test("issues and status of a workflow follow the variables that it mentions, however it is read", async () => {
  const made = (await novu.workflows.create({
    workflowId: "follows",
    name: "Follows",
    active: true,
    source: "editor",
    steps: [{ name: "Bell", type: "in_app", controlValues: { body: "{{env.LATER}}", skip: { "==": [{ var: "env.LATER" }, "x"] } } }],
  })).result;
  const read = async () => {
    const one = (await novu.workflows.get("follows")).result;
    const step = (await novu.workflows.steps.retrieve("follows", made.steps[0].slug)).result;
    const found = (await novu.workflows.list({ status: ["ERROR"] })).result.workflows.some((w) => w.workflowId === "follows");
    const listed = (await novu.workflows.list({})).result.workflows.find((w) => w.workflowId === "follows");
    const legacy = (await server.call("GET", `/v1/notification-templates/${made.id}`)).body.data;
    const counts = [one.steps[0], step, listed.steps[0], legacy.steps[0]].map((s) => Object.keys(s.issues?.controls ?? {}).length);
    return { status: one.status, listed: listed.status, found, counts, updatedAt: one.updatedAt };
  };
  const bad = { status: "ERROR", listed: "ERROR", found: true, counts: [2, 2, 2, 2], updatedAt: made.updatedAt };
  const good = { status: "ACTIVE", listed: "ACTIVE", found: false, counts: [0, 0, 0, 0], updatedAt: made.updatedAt };
  assert.deepEqual(await read(), bad);
  await novu.environmentVariables.create({ key: "LATER", values: here("now") });
  assert.deepEqual(await read(), good);
  await novu.environmentVariables.delete("LATER");
  assert.deepEqual(await read(), bad);
});

test("a step's missing integration comes and goes with the integration", async () => {
  const made = (await novu.workflows.create({
    workflowId: "served", name: "Served", source: "editor", steps: [{ name: "Text", type: "sms", controlValues: { body: "b" } }],
  })).result;
  const missing = async () => Object.keys((await novu.workflows.steps.retrieve("served", made.steps[0].slug)).result.issues?.integration ?? {});
  const outbox = (await novu.integrations.list()).result.filter((i) => i.channel === "sms");
  assert.deepEqual(await missing(), []);
  for (const i of outbox) await novu.integrations.update({ active: false }, i.id);
  assert.deepEqual(await missing(), ["sms"]);
  for (const i of outbox) await novu.integrations.update({ active: true }, i.id);
  for (const i of outbox) await novu.integrations.setAsPrimary(i.id);
  assert.deepEqual(await missing(), []);
});
