// What is promised of comparing and publishing environments beyond publish.test.mjs: layouts that workflows need,
// translations as changes of their own, what a refused call says.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, dev;
before(async () => {
  server = await Carillon.start();
  dev = api(server);
});
after(() => server?.stop());

const diff = () => server.call("POST", `/v2/environments/${server.prod._id}/diff`, { sourceEnvironmentId: server.dev._id }).then((r) => r.body.data);
const publish = () => server.call("POST", `/v2/environments/${server.prod._id}/publish`, { sourceEnvironmentId: server.dev._id, dryRun: false });
const find = (d, kind, id) => d.resources.find((r) => r.kind === kind && (r.sourceResource ?? r.targetResource).id === id);
const mail = (layoutId, more) => ({ name: "Mail", type: "email", controlValues: { subject: "S", body: "B", layoutId }, ...more });
const texts = (resourceId, locale, content, resourceType = "workflow") =>
  server.call("POST", "/v2/translations", { resourceId, resourceType, locale, content }).then((r) => assert.equal(r.status, 200, r.text));

test("without a source, Development is compared; equal environments differ in nothing", async () => {
  await dev.workflows.create({ name: "Plain", workflowId: "plain", description: "d", active: true, steps: [mail(undefined)] });
  const { body } = await server.call("POST", `/v2/environments/${server.prod._id}/diff`, {});
  assert.deepEqual([body.data.sourceEnvironmentId, body.data.targetEnvironmentId], [server.dev._id, server.prod._id]);
  assert.deepEqual(body.data.summary, { totalEntities: 1, totalChanges: 2, hasChanges: true });
  const [own, step] = find(body.data, "workflow", "plain").changes;
  assert.deepEqual([own.kind, own.action, own.targetResource], ["workflow", "added", null]);
  assert.deepEqual([step.kind, step.action, step.stepType, step.newIndex, step.diffs.previous, step.diffs.new.controlValues.subject],
    ["step", "added", "email", 0, null, "S"]);
  const { results, summary } = (await publish()).body.data;
  assert.deepEqual(summary, { resources: 1, successful: 1, failed: 0, skipped: 0 });
  assert.deepEqual(results.map((r) => r.kind), ["workflow", "layout"]);
  const { sourceEnvironmentId, targetEnvironmentId, resources, summary: nothing } = await diff();
  assert.deepEqual({ sourceEnvironmentId, targetEnvironmentId, resources, nothing }, {
    sourceEnvironmentId: server.dev._id,
    targetEnvironmentId: server.prod._id,
    resources: [],
    nothing: { totalEntities: 0, totalChanges: 0, hasChanges: false },
  });
});

test("a layout that is deleted here is held by the workflows that use it there, not the other way round", async () => {
  await dev.layouts.create({ layoutId: "base", name: "Base" }); // the first is the default one, which stays
  await dev.layouts.create({ layoutId: "frame", name: "Frame" });
  await dev.workflows.create({ name: "Framed", workflowId: "framed", active: true, steps: [mail("frame")] });
  await publish();
  await dev.layouts.delete("frame");
  const d = await diff(), workflow = find(d, "workflow", "framed"), layout = find(d, "layout", "frame");
  assert.equal(workflow.targetResource.name, "Framed");
  assert.ok(!("dependencies" in workflow));
  assert.deepEqual([layout.sourceResource, layout.targetResource.name], [null, "Frame"]);
  assert.deepEqual(layout.dependencies, [
    { resourceType: "REGULAR", kind: "workflow", resourceId: "framed", resourceName: "Framed", isBlocking: true, reason: "LAYOUT_REQUIRED_FOR_WORKFLOW" },
  ]);
  assert.equal((await publish()).body.data.summary.failed, 0);
  assert.deepEqual((await diff()).resources, []);
});

test("a workflow needs each layout once, and only the one that it has now", async () => {
  const needs = async () => find(await diff(), "workflow", "moves").dependencies?.map((x) => [x.kind, x.resourceId, x.resourceName, x.isBlocking, x.reason]);
  await dev.layouts.create({ layoutId: "old", name: "Old" });
  const made = (await dev.workflows.create({ name: "Moves", workflowId: "moves", active: true, steps: [mail("old"), mail("old", { name: "Again" })] })).result;
  assert.deepEqual(await needs(), [["layout", "old", "Old", true, "LAYOUT_REQUIRED_FOR_WORKFLOW"]]);
  await publish();
  await dev.layouts.create({ layoutId: "fresh", name: "Fresh" });
  await dev.workflows.update({ ...made, steps: [mail("fresh")] }, "moves");
  assert.deepEqual(await needs(), [["layout", "fresh", "Fresh", true, "LAYOUT_REQUIRED_FOR_WORKFLOW"]]);
  await publish();
  await dev.workflows.update({ ...made, name: "Moved", steps: [mail("fresh")] }, "moves");
  assert.deepEqual(await needs(), [["layout", "fresh", "Fresh", false, "LAYOUT_EXISTS_IN_TARGET"]]);
});

test("changed translations are one change of their own", async () => {
  const before = { "welcome.title": "Welcome", "button.submit": "Submit" }, after = { "welcome.title": "Welcome!", "new.key": "New" };
  await dev.workflows.create({ name: "Spoken", workflowId: "spoken", active: true, isTranslationEnabled: true, steps: [{ name: "In", type: "in_app", controlValues: { body: "x" } }] });
  await texts("spoken", "en_US", before);
  await publish();
  await texts("spoken", "en_US", after);
  let spoken = find(await diff(), "workflow", "spoken");
  assert.deepEqual(spoken.summary, { added: 0, modified: 1, deleted: 0, unchanged: 1 });
  assert.deepEqual(spoken.changes.map((c) => [c.kind, c.action, c.sourceResource.id, c.targetResource.id]), [["localization_group", "modified", "spoken", "spoken"]]);
  assert.deepEqual(spoken.changes[0].diffs, {
    previous: { locales: ["en_US"], translations: { en_US: before } },
    new: { locales: ["en_US"], translations: { en_US: after } },
  });
  assert.equal((await dev.environments.diff({ sourceEnvironmentId: server.dev._id }, server.prod._id)).result.resources.length > 0, true);
  await publish();
  await texts("spoken", "es_ES", { "welcome.title": "Bienvenido" });
  spoken = find(await diff(), "workflow", "spoken");
  assert.deepEqual([spoken.changes[0].diffs.previous.locales, spoken.changes[0].diffs.new.locales], [["en_US"], ["en_US", "es_ES"]]);
  await server.call("DELETE", "/v2/translations/workflow/spoken/en_US");
  await server.call("DELETE", "/v2/translations/workflow/spoken/es_ES");
  const [gone] = find(await diff(), "workflow", "spoken").changes;
  assert.deepEqual([gone.kind, gone.action, gone.diffs.new, gone.diffs.previous.locales], ["localization_group", "deleted", null, ["en_US"]]);
  await publish();
  assert.deepEqual((await diff()).resources, []);
});

test("the steps of a deleted workflow are not counted beside it", async () => {
  await dev.workflows.delete("spoken");
  const { changes, summary } = find(await diff(), "workflow", "spoken");
  assert.deepEqual([changes.map((c) => [c.kind, c.action, c.sourceResource]), summary], [[["workflow", "deleted", null]], { added: 0, modified: 0, deleted: 1, unchanged: 0 }]);
});

test("what is refused says why", async () => {
  const refused = async (method, path, body, status, message) => {
    const answer = await server.call(method, path, body);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.body.statusCode, status);
    assert.match(answer.body.message, message);
    return answer.body;
  };
  const env = (id, what) => `/v2/environments/${id}/${what}`;
  for (const what of ["diff", "publish"]) {
    await refused("POST", env(server.dev._id, what), { sourceEnvironmentId: server.dev._id }, 400, /^Source and target environments cannot be the same$/);
    await refused("POST", env("invalid-id", what), { sourceEnvironmentId: "invalid-id" }, 400, /^Invalid environment ID format$/);
    await refused("POST", env(server.dev._id, what), { sourceEnvironmentId: server.prod._id }, 403, /is scoped to a single environment/);
  }
  const body = { sourceEnvironmentId: server.dev._id, resources: [{ resourceType: "unsupported_type", resourceId: "some-id" }] };
  const { errors } = await refused("POST", env(server.prod._id, "publish"), body, 422, /^Validation Error$/);
  assert.match(errors.general.messages[0], /resourceType must be one of the following values/);
  const unknown = "60a5f2f2f2f2f2f2f2f2f2f2";
  await refused("GET", env(unknown, "tags"), undefined, 404, new RegExp(`^Environment ${unknown} not found$`));
});

test("tags: none to begin with, each once, none that are empty", async () => {
  const tags = (e) => server.call("GET", `/v2/environments/${e._id}/tags`, undefined, { key: e.secretKey }).then((r) => r.body.data.map((t) => t.name).sort());
  assert.deepEqual(await tags(server.prod), []);
  for (const [workflowId, list] of [["tag-1", ["tag1", "tag2"]], ["tag-2", ["tag2", "tag3"]]])
    await dev.workflows.create({ name: workflowId, workflowId, tags: list, steps: [] });
  assert.deepEqual(await tags(server.dev), ["tag1", "tag2", "tag3"]);
});

test("agents are published by identifier: inactive at first, with placeholders for what they speak through", async () => {
  const at = (env) => ({ key: env.secretKey });
  const agent = async (identifier, env = server.dev) => (await server.call("GET", `/v1/agents/${identifier}`, undefined, at(env))).body.data;
  const patch = (identifier, body, env = server.dev) => server.call("PATCH", `/v1/agents/${identifier}`, body, at(env));
  const links = async (identifier, env) => (await server.call("GET", `/v1/agents/${identifier}/integrations`, undefined, at(env))).body.data;
  const slack = (await server.call("POST", "/v1/integrations", { providerId: "slack", channel: "chat", active: true, check: false, credentials: {}, identifier: "team-slack" })).body.data;
  assert.equal((await server.call("POST", "/v1/agents", { name: "Promoted", identifier: "promoted", description: "d" })).status, 201);
  assert.equal((await server.call("POST", "/v1/agents/promoted/integrations", { integrationIdentifier: slack.identifier })).status, 201);

  const seen = find(await diff(), "agent", "promoted");
  assert.deepEqual([seen.changes.map((c) => [c.kind, c.action]), seen.summary.added, seen.targetResource], [[["agent", "added"]], 1, null]);
  const { results } = (await publish()).body.data;
  const done = results.find((r) => r.kind === "agent");
  assert.deepEqual(done.successful.map((r) => [r.resourceId, r.action]), [["promoted", "created"]], JSON.stringify(done));
  const copy = await agent("promoted", server.prod);
  assert.deepEqual([copy.name, copy.description, copy.active], ["Promoted", "d", false]);
  const [link, ...more] = await links("promoted", server.prod);
  assert.deepEqual([more, link.connectedAt, link.integration.identifier, link.integration.providerId, link.integration.active], [[], null, `team-slack-${server.prod._id.slice(-6)}`, "slack", false]);
  assert.equal(find(await diff(), "agent", "promoted"), undefined, "that one is active and the other is not counts for nothing");
  await publish();
  assert.equal((await links("promoted", server.prod)).length, 1);

  await patch("promoted", { active: true }, server.prod);
  await patch("promoted", { name: "Renamed" });
  const changed = find(await diff(), "agent", "promoted").changes[0];
  assert.deepEqual([changed.action, changed.diffs], ["modified", { previous: { name: "Promoted" }, new: { name: "Renamed" } }]);
  await server.call("POST", `/v2/environments/${server.prod._id}/publish`, { sourceEnvironmentId: server.dev._id, resources: [{ resourceType: "agent", resourceId: "promoted" }] });
  const again = await agent("promoted", server.prod);
  assert.deepEqual([again.name, again.active], ["Renamed", true]);

  const [own] = await links("promoted", server.dev);
  assert.equal((await server.call("DELETE", `/v1/agents/promoted/integrations/${own._id}`)).status, 204);
  await publish();
  assert.deepEqual(await links("promoted", server.prod), []);
  await server.call("DELETE", "/v1/agents/promoted?deleteFromProvider=false");
  assert.equal(find(await diff(), "agent", "promoted").changes[0].action, "deleted");
  await publish();
  assert.equal((await server.call("GET", "/v1/agents/promoted", undefined, at(server.prod))).status, 404);
});
