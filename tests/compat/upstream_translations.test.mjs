// What Novu's own end-to-end tests of translations settle, in our words: groups, files, the master document, texts in previews.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
});
after(() => server.stop());

const make = async (workflowId, isTranslationEnabled = true) =>
  (await novu.workflows.create({
    name: workflowId, workflowId, isTranslationEnabled,
    steps: [
      { name: "Mail", type: "email", controlValues: { subject: "S", body: "b" } },
      { name: "In", type: "in_app", controlValues: { body: "b" } },
      { name: "Sms", type: "sms", controlValues: { body: "b" } },
      { name: "Chat", type: "chat", controlValues: { body: "b" } },
    ],
  })).result;
const put = (resourceId, locale, content, resourceType = "workflow") => server.call("POST", "/v2/translations", { resourceId, resourceType, locale, content });
const group = (id, type = "workflow") => server.call("GET", `/v2/translations/group/${type}/${id}`);
const form = (path, files, fields = {}) => {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  for (const [field, name, text] of files) body.append(field, new Blob([text], { type: "application/json" }), name);
  return fetch(`${server.url}${path}`, { method: "POST", headers: { Authorization: `ApiKey ${server.dev.secretKey}` }, body }).then(async (r) => ({ status: r.status, body: await r.json() }));
};
const preview = async (flow, step, controlValues, previewPayload = {}) => {
  const { body } = await server.call("POST", `/v2/workflows/${flow.workflowId}/step/${flow.steps[step].id}/preview`, { controlValues, previewPayload });
  return body.data.result.preview;
};

test("a translation is written over, and says when it was made", async () => {
  await make("written");
  const first = (await put("written", "en_US", { a: "1", nested: { deep: { x: "y" } } })).body.data;
  assert.deepEqual([first.resourceId, first.resourceType, first.locale, first.content], ["written", "workflow", "en_US", { a: "1", nested: { deep: { x: "y" } } }]);
  assert.ok(first.createdAt && first.updatedAt);
  await server.call("POST", "/v1/testing/clock", { advance: "PT1M" });
  const second = (await put("written", "en_US", { b: "2" })).body.data;
  assert.deepEqual(second.content, { b: "2" });
  assert.equal(second.createdAt, first.createdAt);
  assert.ok(second.updatedAt > first.updatedAt);
  const read = await server.call("GET", "/v2/translations/workflow/written/en_US");
  assert.deepEqual(read.body.data.content, { b: "2" });
  for (const path of ["/v2/translations/workflow/written/fr_FR", "/v2/translations/workflow/nobody/en_US"])
    assert.equal((await server.call("GET", path)).status, 404, path);
});

test("of a group deleted nothing is left; one of many translations leaves the others", async () => {
  await make("gone");
  for (const locale of ["en_US", "es_ES", "fr_FR"]) await put("gone", locale, { a: locale });
  assert.deepEqual((await group("gone")).body.data.locales.toSorted(), ["en_US", "es_ES", "fr_FR"]);
  assert.equal((await server.call("DELETE", "/v2/translations/workflow/gone/es_ES")).status, 204);
  assert.deepEqual((await group("gone")).body.data.locales.toSorted(), ["en_US", "fr_FR"]);
  assert.equal((await server.call("DELETE", "/v2/translations/workflow/gone")).status, 204);
  for (const locale of ["en_US", "fr_FR"]) assert.equal((await server.call("GET", `/v2/translations/workflow/gone/${locale}`)).status, 404);
  assert.equal((await group("gone")).status, 404);
  assert.equal((await server.call("DELETE", "/v2/translations/workflow/gone")).status, 404);
  assert.equal((await server.call("DELETE", "/v2/translations/workflow/nobody")).status, 404);
});

test("a layout has a group like a workflow, and both are found by their ids or names", async () => {
  await novu.layouts.create({ layoutId: "frame", name: "The Frame", isTranslationEnabled: true });
  await make("found-by-id");
  await put("frame", "en_US", { footer: "F" }, "layout");
  await put("found-by-id", "en_US", { a: "b" });
  const { data: of } = (await group("frame", "layout")).body;
  assert.deepEqual([of.resourceId, of.resourceType, of.resourceName, of.locales], ["frame", "layout", "The Frame", ["en_US"]]);
  assert.ok(of.createdAt && of.updatedAt);
  const found = async (query) => (await server.call("GET", `/v2/translations/list?query=${encodeURIComponent(query)}`)).body;
  assert.deepEqual((await found("the fra")).data.map((g) => g.resourceId), ["frame"]);
  assert.deepEqual((await found("FOUND-BY")).data.map((g) => g.resourceId), ["found-by-id"]);
  assert.deepEqual([(await found("no such thing")).data, (await found("no such thing")).total], [[], 0]);
  const listed = (await found("the fra")).data[0];
  assert.deepEqual(Object.keys(listed).toSorted(), Object.keys(of).toSorted(), "a list shows what the group shows");
});

test("the master document names what went in and what did not", async () => {
  await make("one");
  await make("two");
  await make("unready", false);
  const take = async (masterJson, locale = "nl_NL") => server.call("POST", "/v2/translations/master-json", { locale, masterJson });
  const both = (await take({ workflows: { one: { a: "1" }, two: { a: "2" } } })).body.data;
  assert.equal(both.success, true);
  assert.match(both.message, /2 resource/);
  assert.deepEqual(both.successful.toSorted(), ["one", "two"]);
  assert.equal(both.failed, undefined);
  const off = (await take({ workflows: { unready: { a: "1" } } })).body.data;
  assert.deepEqual([off.success, off.successful], [true, ["unready"]]);
  const none = (await take({ workflows: {} })).body.data;
  assert.deepEqual([none.success, none.successful, none.failed], [false, undefined, undefined]);
  assert.match(none.message, /No supported resources found/);
  for (const [body, status] of [[{ locale: "nl_NL" }, 422], [{ masterJson: { workflows: {} } }, 422], [{ locale: "nowhere", masterJson: { workflows: {} } }, 422]])
    assert.equal((await server.call("POST", "/v2/translations/master-json", body)).status, status, JSON.stringify(body));
  const out = async (locale) => server.call("GET", `/v2/translations/master-json?locale=${locale}`);
  assert.deepEqual((await out("nl_NL")).body.data.workflows.two, { a: "2" });
  assert.deepEqual((await out("ja_JP")).body.data.workflows, {});
  assert.equal((await out("invalid-locale")).status, 422);
});

test("a master file is one file of JSON, named by a locale", async () => {
  await make("filed");
  const good = JSON.stringify({ workflows: { filed: { a: "b" } } });
  const upload = (...files) => form("/v2/translations/master-json/upload", files.map(([name, text]) => ["file", name, text]));
  assert.equal((await upload(["pl_PL.json", good])).body.data.success, true);
  for (const name of ["invalid-filename.json", "en_US-master.json", "en_US.txt", "notlocale.json", "en.json"])
    assert.equal((await upload([name, good])).status, 400, name);
  for (const text of ["{ nope", "", "plain words", "[1]", "\"x\""])
    assert.equal((await upload(["pl_PL.json", text])).status, 400, text);
  assert.equal((await upload()).status, 400);
});

test("files for one resource: the good ones go in, each bad one is named", async () => {
  await make("files");
  const upload = (...files) => form("/v2/translations/upload", files.map(([name, text]) => ["files", name, text]), { resourceId: "files", resourceType: "workflow" });
  const some = (await upload(["en_US.json", '{"a":"b"}'], ["es_ES.json", "{ nope"])).body.data;
  assert.deepEqual([some.totalFiles, some.successfulUploads, some.failedUploads], [2, 1, 1]);
  assert.match(some.errors[0], /es_ES\.json/);
  const names = await upload(["en_US.json", "{}"], ["invalid.json", "{}"], ["fr.json", "{}"]);
  assert.equal(names.status, 400);
  assert.match(JSON.stringify(names.body), /must be a valid locale filename/);
  assert.equal((await upload()).status, 400);
});

test("texts of every channel come in the reader's language, with their own Liquid", async () => {
  const flow = await make("texts");
  await put("texts", "en_US", {
    "email.subject": "Welcome {{payload.name}}", hi: "Hello {{subscriber.firstName | upcase}}", one: "item", many: "items", tail: "!", deep: { er: "in" },
    gone: "Hello {{payload.missing}}!", two: "First: {{payload.a}}, Second: {{payload.b}}", quoted: 'To "Our Service": you\'re set', lines: "Line 1\nLine 2\tTabbed", only: "English only",
  });
  await put("texts", "es_ES", { "email.subject": "Bienvenido {{payload.name}}", hi: "Hola {{subscriber.firstName | upcase}}" });
  const es = { subscriber: { locale: "es_ES", firstName: "Ana" }, payload: { name: "Eva", n: 2 } }, ja = { subscriber: { locale: "ja_JP", firstName: "Ana" }, payload: { name: "Eva", n: 1 } };
  const mail = (subject, body, payload) => preview(flow, 0, { subject, body, editorType: "html" }, payload);
  for (const [subject, body, payload, wantSubject, wantBody] of [
    ["{{t.email.subject}}", "<p>{{t.hi}}</p>", es, "Bienvenido Eva", /<p>Hola ANA<\/p>/],
    ["{{t.email.subject}}", "<p>{{t.hi}}</p>", ja, "Welcome Eva", /<p>Hello ANA<\/p>/],
    ["{{t.hi}}{{t.deep.er}}", "<p>{{t.only}}</p>", es, "Hola ANAin", /English only/],
    ["{{payload.n | pluralize: 't.one', 't.many'}}", "<p>{{payload.name | append: 't.tail'}}</p>", es, "2 items", /Eva!/],
    ["{{payload.n | pluralize: 't.one', 't.many'}}", "<p>{{t.gone}} {{t.two}}</p>", { payload: { n: 1 } }, "1 item", /Hello ! First: , Second: /],
    ["{{t.quoted}}", "<p>{{t.lines}}</p>", es, 'To "Our Service": you\'re set', /Line 1\nLine 2\tTabbed/],
  ]) {
    const seen = await mail(subject, body, payload);
    assert.equal(seen.subject, wantSubject);
    assert.match(seen.body, wantBody);
  }
  const inApp = await preview(flow, 1, { subject: "{{t.email.subject}}", body: "{{t.hi}}" }, es);
  assert.deepEqual([inApp.subject, inApp.body], ["Bienvenido Eva", "Hola ANA"]);
  for (const step of [2, 3]) assert.equal((await preview(flow, step, { body: "{{t.email.subject}}" }, es)).body, "Bienvenido Eva");
});

test("a layout's texts are its own", async () => {
  await novu.layouts.create({ layoutId: "own", name: "Own", isTranslationEnabled: true });
  await novu.layouts.update({ name: "Own", isTranslationEnabled: true, controlValues: { email: { body: "<html><body><div>{{content}}</div><p>Footer: {{t.layout.footer}}</p></body></html>", editorType: "html" } } }, "own");
  await put("own", "en_US", { "layout.footer": "© Our Company" }, "layout");
  const flow = await make("in-layout");
  const seen = await preview(flow, 0, { subject: "T", body: "<p>Workflow content</p>", editorType: "html", layoutId: "own" });
  assert.match(seen.body, /Workflow content[\s\S]*Footer: © Our Company/);
});
