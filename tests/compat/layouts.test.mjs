// Layouts with the real client: made, listed, changed, duplicated, used, deleted.
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
const html = (body) => ({ email: { body, editorType: "html" } });

test("the first layout is the default, and shows the content", async () => {
  const { result } = await novu.layouts.create({ layoutId: "main", name: "Main" });
  assert.equal(result.layoutId, "main");
  assert.equal(result.isDefault, true);
  assert.match(result.slug, /^main_lt_[0-9A-Za-z]{16}$/);
  assert.equal(result.controls.values.email.editorType, "block");
  assert.match(result.controls.values.email.body, /"id":"content"/);
  const again = (await novu.layouts.create({ layoutId: "main", name: "Main again" })).result;
  assert.match(again.layoutId, /^main-[0-9a-zA-Z]{6}$/);
  assert.equal(again.isDefault, false);
  for (const key of [result.id, result.slug, "main"]) assert.equal((await novu.layouts.retrieve(key)).result.id, result.id);
});

test("content is replaced, and refused without its variable or of the wrong kind", async () => {
  await novu.layouts.create({ layoutId: "brand", name: "Brand" });
  const { result } = await novu.layouts.update({ name: "Brand 2", controlValues: html("<main>{{ content }}</main>") }, "brand");
  assert.equal(result.name, "Brand 2");
  assert.equal(result.controls.values.email.body, "<main>{{ content }}</main>");
  const renamed = (await novu.layouts.update({ name: "Brand 3" }, "brand")).result;
  assert.equal(renamed.controls.values.email.body, "<main>{{ content }}</main>");
  await fails(novu.layouts.update({ name: "B", controlValues: html("plain") }, "brand"), 400, /^Content must be a valid HTML content$/);
  await fails(novu.layouts.update({ name: "B", controlValues: { email: { body: "<p>", editorType: "block" } } }, "brand"), 400, /valid Maily JSON content/);
  const answer = await server.call("PUT", "/v2/layouts/brand", { name: "B", controlValues: html("<p>contents {{contents}}</p>") });
  assert.equal(answer.status, 400);
  assert.equal(answer.body.message, "Layout has validation issues");
  assert.equal(answer.body.ctx.controls["email.body"][0].message, 'The layout body should contain the "content" variable');
  assert.equal((await novu.layouts.retrieve("brand")).result.name, "Brand 3");
});

test("answers say which values a layout has, and null takes them away", async () => {
  await novu.environmentVariables.create({ key: "FOOT", values: [{ environmentId: server.dev._id, value: "Acme" }] });
  const { result } = await novu.layouts.create({ layoutId: "schemas", name: "Schemas" });
  for (const layout of [result, (await novu.layouts.retrieve("schemas")).result]) {
    assert.deepEqual(layout.controls.uiSchema.properties.email.properties.body, { component: "EMAIL_BODY", placeholder: "" });
    assert.equal(layout.controls.dataSchema.properties.email.properties.body.minLength, 1);
    assert.ok(layout.variables.properties.subscriber && layout.variables.properties.env.properties.FOOT);
  }
  assert.deepEqual((await novu.layouts.update({ name: "Schemas", controlValues: null }, "schemas")).result.controls.values, {});
  await novu.workflows.create({ name: "Bare", workflowId: "bare", active: true, steps: [{ name: "Mail", type: "email", controlValues: { subject: "S", body: "<p>alone</p>", editorType: "html", layoutId: "schemas" } }] });
  await novu.trigger({ workflowId: "bare", to: { subscriberId: "b", email: "bare@example.com" } });
  const sent = await server.call("GET", "/v1/outbox/wait?to=bare@example.com&timeout=10");
  assert.match(sent.body.data?.html ?? sent.text, /<p>alone<\/p>/);
  await novu.layouts.delete("schemas");
});

test("lists are filtered, ordered and paged", async () => {
  const names = async (query) => (await novu.layouts.list(query)).result.layouts.map((l) => l.name);
  assert.deepEqual(await names({ orderBy: "name", orderDirection: "ASC" }), ["Brand 3", "Main", "Main again"]);
  assert.deepEqual(await names({ query: "MAIN", orderBy: "createdAt", orderDirection: "ASC" }), ["Main", "Main again"]);
  const page = (await novu.layouts.list({ limit: 1, offset: 1, orderBy: "name", orderDirection: "ASC" })).result;
  assert.equal(page.layouts[0].name, "Main");
  assert.equal(page.totalCount, 3);
});

test("a duplicate is apart; usage is told; deletion takes the layout out of steps", async () => {
  const copy = (await novu.layouts.duplicate({ name: "Copy of brand" }, "brand")).result;
  assert.equal(copy.layoutId, "copy-of-brand");
  assert.equal(copy.controls.values.email.body, "<main>{{ content }}</main>");
  const mail = { name: "Mail", type: "email", controlValues: { subject: "S", body: "<p>x</p>", editorType: "html", layoutId: "copy-of-brand" } };
  await novu.workflows.create({ name: "Uses it", workflowId: "uses-it", steps: [mail] });
  assert.deepEqual((await novu.layouts.usage("copy-of-brand")).result.workflows, [{ name: "Uses it", workflowId: "uses-it" }]);
  assert.deepEqual((await novu.layouts.usage("brand")).result.workflows, []);
  await fails(novu.layouts.delete("main"), 409, /being used as a default layout/);
  await novu.layouts.delete("copy-of-brand");
  await fails(novu.layouts.retrieve("copy-of-brand"), 404, /^Layout not found for id copy-of-brand in the environment [0-9a-f]{24}$/);
  const workflow = await server.call("GET", "/v2/workflows/uses-it");
  assert.equal(workflow.body.data.steps[0].controlValues.layoutId, undefined);
});

test("a preview shows the layout around a placeholder, stored or as proposed", async () => {
  const stored = (await novu.layouts.generatePreview({}, "brand")).result;
  assert.match(stored.result.preview.body, /<main>/);
  assert.equal(stored.result.type, "email");
  const proposed = (await novu.layouts.generatePreview({ controlValues: html("<b>{{subscriber.firstName}}</b>{{content}}"), previewPayload: { subscriber: { firstName: "Zoé" } } }, "brand")).result;
  assert.match(proposed.result.preview.body, /<b>Zoé<\/b>/);
  await fails(novu.layouts.generatePreview({}, "nowhere"), 404, /Layout not found/);
});

test("bad input is named, and another environment's layouts are not there", async () => {
  for (const [body, message] of [
    [{ name: "x" }, "layoutId must be a string"],
    [{ layoutId: "a b", name: "x" }, "layoutId must contain only letters, digits, hyphens, underscores and dots"],
    [{ layoutId: "x", name: "n".repeat(129) }, "name must be shorter than or equal to 128 characters"],
    [{ layoutId: "x", name: "x", controlValues: { email: { body: 5 } } }, "body must be a string"],
  ]) {
    const answer = await server.call("POST", "/v2/layouts", body);
    assert.equal(answer.status, 422);
    assert.ok(answer.body.errors.general.messages.includes(message), answer.text);
  }
  await fails(api(server, server.prod).layouts.retrieve("main"), 404, /Layout not found/);
});
