// Diff and publish between environments with the real client: added, modified, deleted, chosen, dry, refused.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, dev, prod;
before(async () => {
  server = await Carillon.start();
  dev = api(server);
  prod = api(server, server.prod);
  await dev.layouts.create({ layoutId: "frame", name: "Frame" });
  await dev.workflows.create({ name: "Welcome", workflowId: "welcome", active: true, isTranslationEnabled: true, tags: ["a"], steps: [
    { name: "In", type: "in_app", controlValues: { body: "{{t.hi}}" } },
    { name: "Mail", type: "email", controlValues: { subject: "S", body: "<p>b</p>", editorType: "html", layoutId: "frame" } },
  ] });
  await dev.workflows.create({ name: "Later", workflowId: "later", active: true, steps: [{ name: "In", type: "in_app", controlValues: { body: "x" } }] });
  await server.call("POST", "/v2/translations", { resourceId: "welcome", resourceType: "workflow", locale: "en_US", content: { hi: "Hi" } });
});
after(() => server.stop());

const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status);
    assert.match(JSON.parse(error.body).message, message);
    return true;
  });
const diff = () => server.call("POST", `/v2/environments/${server.prod._id}/diff`, { sourceEnvironmentId: server.dev._id }).then((r) => r.body.data);
const publish = (more = {}) => dev.environments.publish({ sourceEnvironmentId: server.dev._id, ...more }, server.prod._id).then((r) => r.result);
const changed = async () => (await diff()).resources.map((r) => [r.kind, r.changes[0].action, (r.sourceResource ?? r.targetResource).id]);

test("the diff names what is new, with what it needs, and the client can read it", async () => {
  assert.deepEqual(await changed(), [["layout", "added", "frame"], ["workflow", "added", "later"], ["workflow", "added", "welcome"]]);
  const { result } = await dev.environments.diff({ sourceEnvironmentId: server.dev._id }, server.prod._id);
  assert.equal(result.summary.hasChanges, true);
  assert.equal(result.summary.totalEntities, 3);
  const welcome = result.resources.find((r) => r.sourceResource?.id === "welcome");
  assert.equal(welcome.summary.added, 3, "itself and two steps");
  assert.deepEqual(welcome.dependencies.map((d) => [d.resourceId, d.isBlocking, d.reason]), [["frame", true, "LAYOUT_REQUIRED_FOR_WORKFLOW"]]);
});

test("a dry run says what would happen and does nothing", async () => {
  const result = await publish({ dryRun: true });
  assert.deepEqual(result.summary, { resources: 3, successful: 0, failed: 0, skipped: 3 });
  assert.deepEqual((await publish({ dryRun: true, resources: [] })).summary, result.summary, "no choice is all");
  assert.equal((await prod.workflows.list({})).result.totalCount, 0);
});

test("chosen resources go alone, then the rest; identifiers and texts are kept, ids are the target's", async () => {
  const one = await publish({ resources: [{ resourceType: "REGULAR", resourceId: "later" }] });
  assert.deepEqual(one.summary, { resources: 1, successful: 1, failed: 0, skipped: 0 });
  assert.deepEqual((await prod.workflows.list({})).result.workflows.map((w) => w.workflowId), ["later"]);
  const all = await publish();
  assert.deepEqual(all.summary, { resources: 3, successful: 2, failed: 0, skipped: 1 });
  assert.deepEqual(await changed(), []);
  const [here, there] = [(await dev.workflows.get("welcome")).result, (await prod.workflows.get("welcome")).result];
  assert.notEqual(here.id, there.id);
  assert.notEqual(here.steps[0].id, there.steps[0].id);
  assert.equal(there.steps[1].controlValues?.layoutId ?? there.steps[1].controls.values.layoutId, "frame");
  const texts = await server.call("GET", "/v2/translations/workflow/welcome/en_US", undefined, { key: server.prod.secretKey });
  assert.deepEqual(texts.body.data.content, { hi: "Hi" });
});

test("changes are told apart by step; deletions follow", async () => {
  const ids = (await prod.workflows.get("welcome")).result.steps.map((s) => s.id);
  const here = (await dev.workflows.get("welcome")).result;
  await server.call("PUT", "/v2/workflows/welcome", {
    name: "Welcome 2",
    isTranslationEnabled: true,
    tags: ["a"],
    origin: "novu-cloud",
    steps: [
      { _id: here.steps[1].id, name: "Mail", type: "email", stepId: here.steps[1].stepId, controlValues: { subject: "S", body: "<p>b</p>", editorType: "html", disableOutputSanitization: false, layoutId: "frame" } },
      { _id: here.steps[0].id, name: "In", type: "in_app", stepId: here.steps[0].stepId, controlValues: { body: "changed" } },
    ],
  });
  await dev.workflows.delete("later");
  const { resources } = await diff();
  const welcome = resources.find((r) => r.sourceResource?.id === "welcome");
  assert.deepEqual(welcome.changes.map((c) => [c.kind, c.action]), [["workflow", "modified"], ["step", "moved"], ["step", "modified"]]);
  assert.equal(welcome.changes[0].diffs.new.name, "Welcome 2");
  assert.equal(welcome.changes[2].diffs.previous.controlValues.body, "{{t.hi}}");
  assert.equal(resources.find((r) => r.targetResource?.id === "later").changes[0].action, "deleted");
  const result = await publish();
  assert.equal(result.summary.successful, 2);
  await fails(prod.workflows.get("later"), 404, /Workflow cannot be found/);
  const after = (await prod.workflows.get("welcome")).result;
  assert.equal(after.name, "Welcome 2");
  assert.deepEqual(after.steps.map((s) => s.id), [ids[1], ids[0]], "steps keep the target's ids");
});

test("sync copies one workflow with its texts and the layouts that it uses", async () => {
  await dev.layouts.create({ layoutId: "side", name: "Side" });
  const mail = { name: "Mail", type: "email", controlValues: { subject: "S", body: "<p>b</p>", editorType: "html", layoutId: "side" } };
  await dev.workflows.create({ name: "Synced", workflowId: "synced", active: true, isTranslationEnabled: true, steps: [mail] });
  await server.call("POST", "/v2/translations", { resourceId: "synced", resourceType: "workflow", locale: "de_DE", content: { a: "b" } });
  await dev.workflows.sync({ targetEnvironmentId: server.prod._id }, "synced");
  assert.equal((await prod.layouts.retrieve("side")).result.name, "Side");
  const texts = await server.call("GET", "/v2/translations/workflow/synced/de_DE", undefined, { key: server.prod.secretKey });
  assert.deepEqual(texts.body.data.content, { a: "b" });
  assert.ok(!(await changed()).some(([, , id]) => id === "synced" || id === "side"));
});

test("a workflow that was published without its layout says so until the layout is there", async () => {
  await dev.layouts.create({ layoutId: "late", name: "Late" });
  await dev.workflows.create({ name: "Framed", workflowId: "framed", active: true, steps: [
    { name: "Mail", type: "email", controlValues: { subject: "S", body: "<p>b</p>", editorType: "html", layoutId: "late" } },
  ] });
  const there = async () => {
    const one = (await prod.workflows.get("framed")).result;
    const listed = (await prod.workflows.list({ query: "Framed" })).result.workflows[0];
    return [one.status, listed.status, one.steps[0].issues?.controls?.layoutId?.[0]?.message];
  };
  await publish({ resources: [{ resourceType: "REGULAR", resourceId: "framed" }] });
  assert.deepEqual(await there(), ["ERROR", "ERROR", "Layout not found: late"]);
  await publish({ resources: [{ resourceType: "REGULAR", resourceId: "late" }] });
  assert.deepEqual(await there(), ["ACTIVE", "ACTIVE", undefined]);
  assert.equal((await dev.workflows.get("framed")).result.status, "ACTIVE");
});

test("who may not publish is told so", async () => {
  await fails(dev.environments.publish({ sourceEnvironmentId: server.dev._id }, server.dev._id), 400, /cannot be the same/);
  await fails(dev.environments.publish({}, "nonsense"), 400, /^Invalid environment ID format$/);
  await fails(dev.environments.publish({}, "0123456789abcdef01234567"), 400, /^Target environment not found$/);
  await fails(dev.environments.publish({ sourceEnvironmentId: "0123456789abcdef01234567" }, server.prod._id), 400, /^Source environment not found$/);
  await fails(prod.environments.publish({ sourceEnvironmentId: server.dev._id }, server.prod._id), 403, /scoped to a single environment/);
  await server.call("PUT", `/v1/environments/${server.prod._id}`, { settings: { acceptsPublishByApiKey: false } }, { key: server.prod.secretKey });
  await fails(dev.environments.publish({}, server.prod._id), 403, /does not accept publishing by API key/);
});

test("what fails takes nothing else back, and is told by itself", async () => {
  const small = await Carillon.start({ env: { CARILLON_WORKFLOWS_MAX: "2" } });
  try {
    const make = (name, key) => small.call("POST", "/v2/workflows", {
      name, workflowId: name, active: true, __source: "dashboard", steps: [{ name: "In", type: "in_app", controlValues: { body: "x" } }],
    }, { key });
    for (const [name, { secretKey }] of [["one", small.dev], ["two", small.dev], ["theirs", small.prod]]) assert.equal((await make(name, secretKey)).status, 201);
    const { body } = await small.call("POST", `/v2/environments/${small.prod._id}/publish`, {
      sourceEnvironmentId: small.dev._id,
      resources: ["one", "two"].map((resourceId) => ({ resourceType: "workflow", resourceId })),
    });
    assert.deepEqual(body.data.summary, { resources: 2, successful: 1, failed: 1, skipped: 0 });
    const { successful, failed } = body.data.results.find((r) => r.failed.length);
    assert.deepEqual([successful.map((r) => r.resourceId), failed.map((r) => r.resourceId)], [["one"], ["two"]]);
    assert.match(failed[0].error, /limit/i);
    const there = (await small.call("GET", "/v2/workflows", undefined, { key: small.prod.secretKey })).body.data;
    assert.deepEqual(there.workflows.map((w) => w.workflowId).sort(), ["one", "theirs"]);
  } finally {
    await small.stop();
  }
});
