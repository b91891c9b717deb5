// Every workflow operation through @novu/api 3.19.1: what works, what is not there, what is refused (rest-api.md §6.8,
// content.md §3). The routes that are our own (versions, copies) are called directly.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start({ env: { CARILLON_WORKFLOWS_MAX: "40" } });
  novu = api(server);
});
after(() => server?.stop());

const step = (type, controlValues, name = type) => ({ type, name, controlValues });
let count = 0;
const create = async (steps, more = {}) => {
  const n = ++count;
  const { result } = await novu.workflows.create({ name: `Flow ${n}`, workflowId: `flow-${n}`, active: true, steps, ...more });
  return result;
};
const problems = (s) =>
  Object.entries(s.issues?.controls ?? {}).flatMap(([path, list]) => list.map((i) => `${path}: ${i.issueType} | ${i.message}`));

// ---- every step type has its schemas, and round-trips --------------------------------------------------------------

const types = {
  in_app: { values: { subject: "s", body: "b", redirect: { url: "/x", target: "_self" } }, group: "IN_APP" },
  email: { values: { subject: "s", body: "<p>b</p>", editorType: "html" }, group: "EMAIL" },
  sms: { values: { body: "b" }, group: "SMS" },
  push: { values: { subject: "s", body: "b" }, group: "PUSH" },
  chat: { values: { body: "b" }, group: "CHAT" },
  delay: { values: { type: "regular", amount: 5, unit: "minutes" }, group: "DELAY" },
  digest: { values: { amount: 1, unit: "hours", digestKey: "k" }, group: "DIGEST" },
  throttle: { values: { type: "fixed", amount: 1, unit: "hours", threshold: 2 }, group: "THROTTLE" },
  http_request: { values: { method: "POST", url: "https://x.test/{{payload.id}}" }, group: "HTTP_REQUEST" },
};
for (const [type, { values, group }] of Object.entries(types))
  test(`${type}: schemas, values, no issues`, async () => {
    const flow = await create([step(type, values)]);
    const [s] = flow.steps;
    assert.equal(flow.status, "ACTIVE");
    assert.equal(s.type, type);
    assert.equal(s.controls.uiSchema.group, group);
    assert.equal(s.controls.uiSchema.properties.skip.component, "QUERY_EDITOR");
    assert.ok(s.controls.dataSchema.properties || s.controls.dataSchema.anyOf);
    for (const [key, value] of Object.entries(values)) assert.deepEqual(s.controls.values[key], value);
    assert.deepEqual(problems(s), []);
    assert.equal(s.issues.integration, undefined);
    assert.ok(s.variables.properties.subscriber.properties.firstName);
    const { result: read } = await novu.workflows.steps.retrieve(flow.workflowId, s.stepId);
    assert.equal(read.id, s.id);
    assert.deepEqual(read.variables, s.variables);
  });

// ---- content mistakes are issues, never failures --------------------------------------------------------------------

const mistakes = [
  ["sms", {}, ["body: MISSING_VALUE | Body is required"]],
  ["sms", { body: "{{name}}" }, ['body: ILLEGAL_VARIABLE_IN_CONTROL_VALUE | Variable "name" missing namespace']],
  ["sms", { body: "{{ payload.x | nope }}" }, ['body: ILLEGAL_VARIABLE_IN_CONTROL_VALUE | Variable "payload.x" undefined filter: nope']],
  ["sms", { body: "{{env.NOPE}}" }, ['body: ILLEGAL_VARIABLE_IN_CONTROL_VALUE | Variable "env.NOPE" is not supported']],
  ["sms", { body: "b", skip: { and: 5 } }, ['skip: ILLEGAL_VARIABLE_IN_CONTROL_VALUE | Invalid logical operator "and" structure']],
  ["in_app", {}, ["subject: MISSING_VALUE | Subject or body is required", "body: MISSING_VALUE | Subject or body is required"]],
  [
    "in_app",
    { subject: "s", body: "b", avatar: "nope" },
    ["avatar: ILLEGAL_VARIABLE_IN_CONTROL_VALUE | Invalid URL. Must be a valid full URL, path starting with /, or {{variable}}"],
  ],
  ["digest", { cron: "61 * * * *" }, ["cron: MISSING_VALUE | Invalid cron expression: Constraint error, got value 61 expected range 0-59"]],
  ["push", { body: "b" }, ["subject: MISSING_VALUE | Subject is required"]],
];
for (const [type, values, want] of mistakes)
  test(`issues: ${type} ${JSON.stringify(values)}`, async () => {
    const flow = await create([step(type, values)]);
    assert.deepEqual(problems(flow.steps[0]), want);
    assert.equal(flow.status, "ERROR");
    const { result: list } = await novu.workflows.list({ query: flow.workflowId, status: ["ERROR"] });
    assert.ok(list.workflows.some((w) => w.workflowId === flow.workflowId && w.steps[0].issues.controls));
    const { result: off } = await novu.workflows.patch({ active: false }, flow.workflowId);
    assert.equal(off.status, "INACTIVE");
    await novu.workflows.delete(flow.workflowId);
  });

test("a negative amount is an issue, and the SDK can still read the workflow", async () => {
  const { status, body } = await server.call("POST", "/v2/workflows", {
    name: "Odd", workflowId: "odd", steps: [step("delay", { type: "regular", amount: -3, unit: "eons", cron: 7 })],
  });
  assert.equal(status, 201);
  assert.equal(body.data.status, "ERROR");
  assert.ok(body.data.steps[0].issues.controls.amount.some((i) => i.message === "must be >= 1"));
  const { result } = await novu.workflows.get("odd");
  assert.equal(result.steps[0].controls.values.unit, undefined);
  assert.equal(result.steps[0].controls.values.amount, -3);
  await novu.workflows.delete("odd");
});

test("a channel that nothing serves is an integration issue, and no error", async () => {
  const { body } = await server.call(
    "POST", "/v2/workflows", { name: "P", workflowId: "p", steps: [step("email", { subject: "s", body: "b" }), step("push", { subject: "s", body: "b" })] },
    { key: server.prod.secretKey },
  );
  assert.equal(body.data.status, "ACTIVE");
  assert.deepEqual(body.data.steps[0].issues.integration, {
    email: [{ issueType: "MISSING_INTEGRATION", message: "Missing active primary integration provider" }],
  });
  assert.deepEqual(body.data.steps[1].issues.integration, {
    push: [{ issueType: "MISSING_INTEGRATION", message: "Missing active  integration provider" }],
  });
});

// ---- form mistakes ------------------------------------------------------------------------------------------------

const forms = [
  [{ workflowId: "f", steps: [] }, 422, /name must be a string/],
  [{ name: "F", steps: [] }, 422, /workflowId must be a string/],
  [{ name: "F", workflowId: "f" }, 422, /steps/],
  [{ name: "x".repeat(65), workflowId: "f", steps: [] }, 422, /name must be shorter than or equal to 64 characters/],
  [{ name: "F", workflowId: "f", steps: [], tags: Array(17).fill("t") }, 422, /tags must contain no more than 16 elements/],
  [{ name: "F", workflowId: "f", steps: [], tags: ["t".repeat(65)] }, 422, /each value in tags must be longer than or equal to 1 and shorter than or equal to 64 characters/],
  [{ name: "F", workflowId: "f", steps: [], tags: [7] }, 422, /each value in tags must be a string/],
  [{ name: "F", workflowId: "f", steps: [], description: "d".repeat(257) }, 422, /description must be shorter/],
  [{ name: "F", workflowId: "f", steps: [], severity: "dire" }, 422, /severity must be one of/],
  [{ name: "F", workflowId: "f", steps: [], payloadSchema: { type: "strange" } }, 422, /payloadSchema must be a valid JSON schema: /],
  [{ name: "F", workflowId: "f", steps: [{ name: "s", type: "pigeon" }] }, 422, /steps\.0\.type must be one of/],
  [{ name: "F", workflowId: "f", steps: [{ type: "sms" }] }, 422, /steps\.0\.name must be a string/],
  [{ name: "F", workflowId: "f", steps: [step("sms", "text")] }, 422, /controlValues must be an object/],
];
for (const [body, status, message] of forms)
  test(`refused: ${JSON.stringify(body).slice(0, 80)}`, async () => {
    const answer = await server.call("POST", "/v2/workflows", body);
    assert.equal(answer.status, status);
    assert.match(answer.text, message);
    assert.equal((await server.call("GET", "/v2/workflows/f")).status, 404);
  });

test("more than 20 steps are refused with the counts", async () => {
  const steps = Array.from({ length: 21 }, (_, i) => step("sms", { body: "b" }, `s${i}`));
  await assert.rejects(novu.workflows.create({ name: "Many", workflowId: "many", steps }), (e) => {
    assert.equal(e.statusCode, 400);
    assert.equal(e.message, "Workflow steps limit exceeded. Maximum allowed steps is 20, but got 21 steps.");
    assert.deepEqual(e.ctx?.providedStepsCount ?? JSON.parse(e.body).ctx.providedStepsCount, 21);
    return true;
  });
});

test("404 everywhere, with the id", async () => {
  const missing = [
    () => novu.workflows.get("nope"),
    () => novu.workflows.patch({ name: "x" }, "nope"),
    () => novu.workflows.update({ name: "x", steps: [], preferences: {} }, "nope"),
    () => novu.workflows.delete("nope"),
    () => novu.workflows.sync({ targetEnvironmentId: server.prod._id ?? "0".repeat(24) }, "nope"),
    () => novu.workflows.steps.retrieve("nope", "x"),
  ];
  for (const call of missing)
    await assert.rejects(call, (e) => e.statusCode === 404 && /Workflow cannot be found/.test(e.message) && /nope/.test(e.body));
});

// ---- identity --------------------------------------------------------------------------------------------------------

test("ids in every form; steps of one name are told apart", async () => {
  const flow = await create([step("sms", { body: "1" }, "Same name"), step("sms", { body: "2" }, "Same name")]);
  const [first, second] = flow.steps;
  assert.equal(first.stepId, "same-name");
  assert.match(second.stepId, /^same-name-[a-z0-9]{4}$/i);
  for (const id of [flow.id, flow.workflowId, flow.slug])
    for (const s of [second.id, second.stepId, second.slug])
      assert.equal((await novu.workflows.steps.retrieve(id, s)).result.id, second.id);
  await assert.rejects(novu.workflows.steps.retrieve(flow.id, "nope"), (e) => e.statusCode === 400 && /No step found/.test(e.message));
});

test("an update replaces: steps by _id, values that are absent or null go, the identifier stays", async () => {
  const flow = await create([step("in_app", { subject: "s", body: "b", data: { a: "1" } }), step("sms", { body: "x" })], {
    description: "d", tags: ["a"], severity: "high",
  });
  const { result } = await novu.workflows.update(
    {
      name: "Renamed", preferences: { user: null }, active: true,
      steps: [step("push", { subject: "s", body: "b" }), { ...step("in_app", { subject: "new", body: null }), id: flow.steps[0].id }],
    },
    flow.workflowId,
  );
  assert.equal(result.workflowId, flow.workflowId);
  assert.deepEqual(result.steps.map((s) => s.type), ["push", "in_app"]);
  assert.equal(result.steps[1].id, flow.steps[0].id);
  assert.equal(result.steps[1].stepId, flow.steps[0].stepId);
  assert.deepEqual(result.steps[1].controls.values, { subject: "new", disableOutputSanitization: false });
  assert.equal(result.severity, "none");
  assert.equal(result.description, undefined);
  const { status, body } = await server.call("PUT", `/v2/workflows/${flow.workflowId}`, { name: "x", steps: [], workflowId: "other" });
  assert.equal(status, 400);
  assert.match(body.message, /workflowId/);
});

test("a patch changes what it names; a stricter schema finds issues", async () => {
  const flow = await create([step("sms", { body: "{{payload.a}}" })]);
  assert.equal(flow.status, "ACTIVE");
  const { result } = await novu.workflows.patch(
    { tags: ["t"], payloadSchema: { type: "object", properties: { b: { type: "string" } }, additionalProperties: false } },
    flow.id,
  );
  assert.equal(result.name, flow.name);
  assert.deepEqual(result.tags, ["t"]);
  assert.equal(result.status, "ERROR");
  assert.deepEqual(problems(result.steps[0]), ['body: ILLEGAL_VARIABLE_IN_CONTROL_VALUE | Variable "payload.a" is not supported']);
  assert.deepEqual(result.payloadExample, { b: "example text" });
});

test("preferences: the dashboard's choice and the code's", async () => {
  const flow = await create([], { preferences: { user: { all: { enabled: true, readOnly: true }, channels: { email: { enabled: false } } } } });
  assert.equal(flow.preferences.user.all.readOnly, true);
  assert.equal(flow.preferences.user.channels.email.enabled, false);
  assert.equal(flow.preferences.user.channels.sms.enabled, true);
  assert.equal(flow.preferences.default.all.enabled, true);
  const { result } = await novu.workflows.update({ name: "P", steps: [], preferences: { user: null } }, flow.id);
  assert.equal(result.preferences.user, null);
});

test("lists: page, order, text, tags", async () => {
  await create([], { name: "Zeta list", tags: ["lists", "z"] });
  await create([step("sms", { body: "b" })], { name: "alpha list", tags: ["lists"] });
  const names = async (query) => (await novu.workflows.list(query)).result.workflows.map((w) => w.name);
  assert.deepEqual(await names({ tags: ["lists"], orderBy: "name", orderDirection: "ASC" }), ["Zeta list", "alpha list"]);
  assert.deepEqual(await names({ tags: ["lists"], orderBy: "createdAt", limit: 1 }), ["alpha list"]);
  assert.deepEqual(await names({ tags: ["z", "none"] }), ["Zeta list"]);
  assert.deepEqual(await names({ query: "ALPHA L" }), ["alpha list"]);
  const { result } = await novu.workflows.list({ tags: ["lists"], limit: 1, offset: 1 });
  assert.equal(result.totalCount, 2);
  assert.equal((await server.call("GET", "/v2/workflows?orderBy=size")).status, 422);
  assert.equal((await server.call("GET", "/v2/workflows?status=BROKEN")).status, 422);
});

test("the limit of workflows is the setting's", async () => {
  const { result } = await novu.workflows.list({});
  let last;
  for (let i = result.totalCount; i <= 40; i++) last = await server.call("POST", "/v2/workflows", { name: "Fill", workflowId: "fill", steps: [] });
  assert.equal(last.status, 400);
  assert.equal(last.body.message, "Workflow limit exceeded. Please contact us to support more workflows.");
  for (const w of (await novu.workflows.list({ query: "fill", limit: 100 })).result.workflows) await novu.workflows.delete(w.workflowId);
});

// ---- previews --------------------------------------------------------------------------------------------------------

const doc = (...content) => JSON.stringify({ type: "doc", content: [{ type: "paragraph", content }] });
const previews = [
  ["sms", { body: "Hi {{payload.name}}" }, { payload: { name: "Ada", other: 1 } }, { body: "Hi Ada" }],
  ["sms", { body: "Hi {{payload.name}} {{subscriber.firstName}}" }, undefined, { body: "Hi name John" }],
  ["sms", { body: "Hi {{subscriber.firstName}}" }, { subscriber: { firstName: "Eve" } }, { body: "Hi Eve" }],
  ["sms", { body: "a{{nope}}b{{subscriber.shoe}}c" }, undefined, { body: "abc" }],
  ["sms", { body: "{{ broken" }, undefined, { body: " " }],
  ["push", { subject: "S {{payload.a}}", body: "B" }, { payload: { a: 5 } }, { subject: "S 5", body: "B" }],
  ["in_app", { subject: "", body: "x <b>{{payload.b}}</b><script>1</script>" }, { payload: { b: "y" } }, { body: "x <b>y</b>" }],
  ["in_app", { body: "b", avatar: "nope" }, undefined, { body: "b", avatar: "https://www.redirect-example.com" }],
  ["delay", { type: "regular", amount: "5", unit: "days" }, undefined, { type: "regular", amount: 5, unit: "days" }],
  ["delay", { type: "regular" }, undefined, {}],
];
for (const [type, controlValues, previewPayload, want] of previews)
  test(`preview: ${type} ${JSON.stringify(controlValues)} ${JSON.stringify(previewPayload)}`, async () => {
    const flow = await novu.workflows.get("preview-flow").catch(async () => ({
      result: (await novu.workflows.create({
        name: "Preview", workflowId: "preview-flow", active: true,
        steps: Object.keys(types).map((t) => step(t, types[t].values)),
      })).result,
    }));
    const s = flow.result.steps.find((x) => x.type === type);
    const { result } = await novu.workflows.steps.generatePreview({
      workflowId: "preview-flow", stepId: s.stepId, generatePreviewRequestDto: { controlValues, previewPayload },
    });
    assert.equal(result.result.type, type);
    assert.deepEqual(result.result.preview, want);
    assert.equal(result.result.error === undefined, Object.keys(want).length > 0);
    assert.deepEqual(Object.keys(result.previewPayloadExample).slice(0, 2).sort(), ["payload", "subscriber"]);
  });

test("preview: an e-mail of blocks, and what it was made with", async () => {
  const flow = await create([step("email", { subject: "For {{payload.who}}", body: doc({ type: "variable", attrs: { id: "payload.who" } }) })]);
  const { body, status } = await server.call("POST", `/v2/workflows/${flow.workflowId}/step/${flow.steps[0].stepId}/preview`, {});
  assert.equal(status, 201);
  assert.equal(body.data.result.preview.subject, "For who");
  assert.match(body.data.result.preview.body, />who</);
  assert.deepEqual(Object.keys(body.data.previewPayloadExample).slice(0, 2), ["payload", "subscriber"]);
  assert.deepEqual(body.data.previewPayloadExample.payload, { who: "who" });
});

test("preview: the schema makes the payload up, and filters what is given", async () => {
  const flow = await create([step("sms", { body: "{{payload.email}} {{payload.items[0].price}}" })], {
    payloadSchema: {
      type: "object",
      properties: { email: { type: "string" }, items: { type: "array", items: { type: "object", properties: { price: { type: "number" } } } } },
    },
  });
  const preview = async (payload) =>
    (await server.call("POST", `/v2/workflows/${flow.workflowId}/step/${flow.steps[0].stepId}/preview`, { previewPayload: { payload } })).body.data;
  assert.equal((await preview()).result.preview.body, "user@example.com 99.99");
  const given = await preview({ email: "a@b.c", extra: 1 });
  assert.equal(given.result.preview.body, "a@b.c 99.99");
  assert.equal(given.previewPayloadExample.payload.extra, undefined);
});

test("preview: what is not there is an empty preview, not an error", async () => {
  for (const path of ["/v2/workflows/nope/step/x/preview", "/v2/workflows/preview-flow/step/nope/preview"]) {
    const { status, body } = await server.call("POST", path, {});
    assert.equal(status, 201);
    assert.deepEqual(body.data, { result: { preview: {} }, previewPayloadExample: {}, schema: null });
  }
});

test("preview of a layout: the content is a placeholder", async () => {
  await novu.layouts.create({ name: "Around", layoutId: "around" });
  const { result } = await novu.layouts.generatePreview(
    { controlValues: { email: { body: "<div>{{content}} for {{subscriber.firstName}}</div>", editorType: "html" } }, previewPayload: { subscriber: { firstName: "Eve" } } },
    "around",
  );
  assert.match(result.result.preview.body, /Dynamic placeholder content.*for Eve/s);
});

// ---- our own routes ---------------------------------------------------------------------------------------------------

test("versions: listed, read, compared, rolled back to", async () => {
  const flow = await create([step("sms", { body: "one" })]);
  const path = `/v2/workflows/${flow.workflowId}`;
  await novu.workflows.patch({ description: "same steps" }, flow.id);
  await novu.workflows.update(
    { name: flow.name, preferences: {}, active: true, steps: [{ ...step("sms", { body: "two" }), id: flow.steps[0].id }, step("push", { subject: "s", body: "b" })] },
    flow.id,
  );
  const { body: list } = await server.call("GET", `${path}/versions`);
  assert.deepEqual(list.data.versions.map((v) => [v.version, v.current]), [[3, true], [2, false], [1, false]]);
  assert.equal(list.data.totalCount, 3);
  const { body: first } = await server.call("GET", `${path}/versions/1`);
  assert.equal(first.data.workflow.steps[0].controlValues.body, "one");
  const { body: diff } = await server.call("GET", `${path}/versions/1/diff`);
  assert.equal(diff.data.to, 3);
  assert.deepEqual(
    diff.data.changes.map((c) => [c.path, c.action]),
    [["steps.sms.controlValues.body", "modified"], ["steps.push", "added"]],
  );
  const { body: back, status } = await server.call("POST", `${path}/versions/1/rollback`);
  assert.equal(status, 200);
  assert.equal(back.data.version, 4);
  assert.equal(back.data.steps.length, 1);
  assert.equal(back.data.steps[0].controlValues.body, "one");
  assert.deepEqual((await server.call("GET", `${path}/versions/1/diff?with=4`)).body.data.changes, []);
  for (const bad of ["99", "x"]) assert.equal((await server.call("GET", `${path}/versions/${bad}`)).status, 404);
});

test("a copy has its own ids, is off, and keeps the content", async () => {
  const flow = await create([step("sms", { body: "{{payload.a}}" })], { tags: ["orig"] });
  const { status, body } = await server.call("POST", `/v2/workflows/${flow.workflowId}/duplicate`, {});
  assert.equal(status, 201);
  assert.equal(body.data.name, `${flow.name} (Copy)`);
  assert.equal(body.data.active, false);
  assert.deepEqual(body.data.tags, ["orig"]);
  assert.notEqual(body.data._id, flow.id);
  assert.notEqual(body.data.steps[0]._id, flow.steps[0].id);
  assert.equal(body.data.steps[0].controlValues.body, "{{payload.a}}");
});

test("sync: to another environment by identifier, again over it; not to the same", async () => {
  const flow = await create([step("sms", { body: "v1" })]);
  const { body: environments } = await server.call("GET", "/v1/environments");
  const [dev, prod] = ["Development", "Production"].map((name) => environments.data.find((e) => e.name === name)._id);
  const { result } = await novu.workflows.sync({ targetEnvironmentId: prod }, flow.workflowId);
  assert.equal(result.workflowId, flow.workflowId);
  assert.notEqual(result.id, flow.id);
  await novu.workflows.update({ name: "v2", preferences: {}, active: true, steps: [{ ...step("sms", { body: "v2" }), id: flow.steps[0].id }] }, flow.id);
  const { result: again } = await novu.workflows.sync({ targetEnvironmentId: prod }, flow.workflowId);
  assert.equal(again.id, result.id);
  assert.equal(again.steps[0].id, result.steps[0].id);
  const { body } = await server.call("GET", `/v2/workflows/${flow.workflowId}`, undefined, { key: server.prod.secretKey });
  assert.equal(body.data.steps[0].controlValues.body, "v2");
  await assert.rejects(novu.workflows.sync({ targetEnvironmentId: dev }, flow.workflowId), /Cannot sync workflow to the same environment/);
  await assert.rejects(novu.workflows.sync({ targetEnvironmentId: "0".repeat(24) }, flow.workflowId), (e) => e.statusCode === 404);
});

test("a key does not look into another environment", async () => {
  const { body: environments } = await server.call("GET", "/v1/environments");
  const prod = environments.data.find((e) => e.name === "Production")._id;
  const { status } = await server.call("GET", `/v2/workflows/preview-flow?environmentId=${prod}`);
  assert.equal(status, 403);
});

test("a read-only environment refuses edits and takes what is synced", async () => {
  const flow = await create([step("sms", { body: "b" })]);
  const key = server.prod.secretKey;
  const { body: environments } = await server.call("GET", "/v1/environments", undefined, { key });
  const prod = environments.data.find((e) => e.name === "Production")._id;
  assert.equal((await server.call("PUT", `/v1/environments/${prod}`, { settings: { readOnly: true } }, { key })).status, 200);
  const path = `/v2/workflows/${flow.workflowId}`;
  assert.equal((await novu.workflows.sync({ targetEnvironmentId: prod }, flow.workflowId)).result.workflowId, flow.workflowId);
  for (const [method, at, body] of [
    ["POST", "/v2/workflows", { name: "x", workflowId: "x", steps: [] }], ["PUT", path, { name: "x", steps: [] }],
    ["PATCH", path, { name: "x" }], ["DELETE", path], ["POST", `${path}/duplicate`, {}], ["POST", `${path}/versions/1/rollback`],
  ])
    assert.equal((await server.call(method, at, body, { key })).status, 403, `${method} ${at}`);
  assert.equal((await server.call("GET", path, undefined, { key })).status, 200);
  await server.call("PUT", `/v1/environments/${prod}`, { settings: { readOnly: false } }, { key });
});

test("deleting takes what hangs on it", async () => {
  const flow = await create([step("sms", { body: "b" })]);
  await novu.subscribers.create({ subscriberId: "pref" });
  await novu.subscribers.preferences.update({ workflowId: flow.workflowId, channels: { sms: false } }, "pref");
  await novu.workflows.delete(flow.workflowId);
  await assert.rejects(novu.workflows.get(flow.id), (e) => e.statusCode === 404);
  await assert.rejects(novu.workflows.delete(flow.id), (e) => e.statusCode === 404);
});

test("the data to try a workflow out with", async () => {
  const data = async (flow) => (await server.call("GET", `/v2/workflows/${flow.workflowId}/test-data`)).body.data;
  const plain = await create([step("in_app", { body: "Hi {{payload.name}}, {{payload.order.id}}" }), step("email", { subject: "s", body: "b" }), step("sms", { body: "b" })]);
  const { to, payload } = await data(plain);
  assert.deepEqual(to.required, ["subscriberId", "email", "phone"]);
  assert.match(to.properties.subscriberId.default, /^[0-9a-f]{24}$/);
  assert.equal(to.properties.email.format, "email");
  assert.equal(payload.properties.name.default, "name");
  assert.equal(payload.properties.order.properties.id.default, "id");
  const { body } = await server.call("POST", "/v2/workflows", { name: "Typed", workflowId: "typed", active: true, steps: [step("in_app", { body: "x" })],
    payloadSchema: { type: "object", properties: { a: { type: "string" }, b: { type: "integer" }, c: { type: "object", properties: { d: { type: "string" }, e: { type: "string", default: "E" } } } } } });
  const typed = await data(body.data);
  assert.deepEqual(typed.to.required, ["subscriberId"]);
  const { a, b, c } = typed.payload.properties;
  assert.deepEqual([a.default, c.properties.d.default, c.properties.e.default], ["{{payload.a}}", "{{payload.c.d}}", "E"]);
  assert.ok(Number.isInteger(b.default));
  assert.deepEqual((await data(await create([step("in_app", { body: "x" })]))).payload, {});
  assert.equal((await server.call("GET", "/v2/workflows/none/test-data")).status, 404);
});

test("another e-mail editor: blocks become HTML that says the same, HTML gives way to blocks", async () => {
  const document = JSON.stringify({ type: "doc", content: [{ type: "paragraph", content: [{ type: "text", text: "Hi " }, { type: "variable", attrs: { id: "payload.name", fallback: "you" } }] }] });
  const flow = await create([step("email", { subject: "s", body: document, editorType: "block" })]);
  assert.equal(flow.steps[0].controls.values.body, document, "what fits its editor stays");
  const edit = async (values) => {
    const { status, body } = await server.call("PUT", `/v2/workflows/${flow.workflowId}`, {
      name: flow.name, workflowId: flow.workflowId, active: true, origin: "novu-cloud", preferences: { user: null }, steps: [{ _id: flow.steps[0].id, name: "email", type: "email", controlValues: { subject: "s", ...values } }],
    });
    assert.equal(status, 200);
    return body.data.steps[0].controlValues.body;
  };
  const html = await edit({ body: document, editorType: "html", layoutId: null });
  assert.match(html, /^<!DOCTYPE html [^>]*><html/);
  assert.match(html, />Hi \{\{ payload\.name \| default: 'you' \}\}<\/p>/);
  const fragment = await server.call("POST", "/v2/layouts", { layoutId: "around", name: "Around", __source: "dashboard", controlValues: { email: { body: "<html><body>{{content}}</body></html>", editorType: "html" } } });
  assert.equal(fragment.status, 201);
  assert.match(await edit({ body: document, editorType: "html", layoutId: "around" }), /^<(?!html)/);
  assert.equal(await edit({ body: html, editorType: "html" }), html);
  assert.equal(await edit({ body: html, editorType: "block" }), "");
  assert.equal(await edit({ body: "<p>x</p>" }), "<p>x</p>", "nobody chose an editor");
  const broken = JSON.stringify({ type: "doc", content: [{ type: "nonsense" }] });
  assert.equal(await edit({ body: broken, editorType: "html" }), broken, "what cannot be rendered is not lost");
});
