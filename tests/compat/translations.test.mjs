// Translations with the real client: one by one, uploaded as files, as one master document.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
  for (const workflowId of ["welcome", "invoice"])
    await novu.workflows.create({ name: workflowId, workflowId, steps: [{ name: "In", type: "in_app", controlValues: { body: "{{t.hi}}" } }] });
});
after(() => server.stop());

const later = () => server.call("POST", "/v1/testing/clock", { advance: "PT1M" });
const status = (promise) => promise.then(() => 0, (error) => error.statusCode ?? error.rawResponse?.status);
const put = (locale, content, resourceId = "welcome") =>
  novu.translations.create({ resourceId, resourceType: "workflow", locale, content }).then((r) => r.result ?? r);
const json = (name, value) => ({ fileName: name, content: new Blob([typeof value === "string" ? value : JSON.stringify(value)], { type: "application/json" }) });

test("a translation is written, read, replaced and deleted; others become outdated", async () => {
  const made = await put("en_US", { hi: "Hello", deep: { er: "text" } });
  assert.equal(made.locale, "en_US");
  assert.deepEqual(made.content, { hi: "Hello", deep: { er: "text" } });
  await put("de_DE", { hi: "Hallo" });
  const group = () => novu.translations.groups.retrieve("workflow", "welcome").then((r) => r.result ?? r);
  assert.deepEqual((await group()).locales, ["de_DE", "en_US"]);
  assert.equal((await group()).outdatedLocales, undefined);
  await later();
  await put("en_US", { hi: "Hello there" });
  assert.deepEqual((await group()).outdatedLocales, ["de_DE"]);
  assert.equal((await group()).resourceName, "welcome");
  const one = await novu.translations.retrieve({ resourceType: "workflow", resourceId: "welcome", locale: "de_DE" });
  assert.deepEqual((one.result ?? one).content, { hi: "Hallo" });
  await novu.translations.delete({ resourceType: "workflow", resourceId: "welcome", locale: "de_DE" });
  assert.equal(await status(novu.translations.delete({ resourceType: "workflow", resourceId: "welcome", locale: "de_DE" })), 404);
  await novu.translations.groups.delete("workflow", "welcome");
  assert.equal(await status(novu.translations.groups.retrieve("workflow", "welcome")), 404);
});

test("what is wrong is said, and changes nothing", async () => {
  for (const [body, message] of [
    [{ resourceId: "welcome", resourceType: "workflow", locale: "en", content: {} }, "locale must be a language and a region, like en_US"],
    [{ resourceId: "welcome", resourceType: "mail", locale: "en_US", content: {} }, "resourceType must be one of the following values: workflow, layout"],
    [{ resourceId: "welcome", resourceType: "workflow", locale: "en_US", content: ["x"] }, "content must be an object"],
    [{ resourceId: "welcome", resourceType: "workflow", locale: "en_US", content: { a: [1] } }, "content may hold only texts, numbers and nested objects"],
  ]) {
    const answer = await server.call("POST", "/v2/translations", body);
    assert.equal(answer.status, 422);
    assert.ok(answer.body.errors.general.messages.includes(message), answer.text);
  }
  const unknown = await server.call("POST", "/v2/translations", { resourceId: "nobody", resourceType: "workflow", locale: "en_US", content: {} });
  assert.equal(unknown.status, 404);
  const foreign = await server.call("GET", "/v2/translations/group/workflow/welcome", undefined, { key: server.prod.secretKey });
  assert.equal(foreign.status, 404);
});

test("files are uploaded, each by its locale's name", async () => {
  const upload = (files) => novu.translations.upload({ resourceId: "welcome", resourceType: "workflow", files }).then((r) => r.result ?? r);
  const refused = async (files, message) => {
    const error = await upload(files).then(() => assert.fail("accepted"), (e) => e);
    const body = JSON.parse(error.body ?? error.message.slice(error.message.indexOf("{")));
    assert.equal(body.statusCode, 400);
    assert.match(body.message, message);
    return body.errors;
  };
  const answer = await upload([json("fr_FR.json", { hi: "Bonjour" }), json("es_ES.json", "{nope"), json("it_IT.json", { hi: "Ciao" })]);
  assert.equal(answer.totalFiles, 3);
  assert.equal(answer.successfulUploads, 2);
  assert.equal(answer.failedUploads, 1);
  assert.match(answer.errors[0], /^Failed to process file 'es_ES\.json': Invalid JSON/);
  const one = await novu.translations.retrieve({ resourceType: "workflow", resourceId: "welcome", locale: "fr_FR" });
  assert.deepEqual((one.result ?? one).content, { hi: "Bonjour" });
  assert.match((await refused([json("en_US.json", "{nope")], /No valid translation files were found/))[0], /en_US\.json/);
  const wrong = await refused([json("fr_FR.json", { hi: "changed" }), json("german.json", {})], /invalid names or formats/);
  assert.deepEqual(wrong, ["german.json must be a valid locale filename, like en_US.json"]);
  const same = await novu.translations.retrieve({ resourceType: "workflow", resourceId: "welcome", locale: "fr_FR" });
  assert.deepEqual((same.result ?? same).content, { hi: "Bonjour" }, "a refused upload changes nothing");
  const none = await server.call("POST", "/v2/translations/upload", "x", { headers: { "Content-Type": "text/plain" } });
  assert.equal(none.status, 400);
});

test("the master document goes in and comes out", async () => {
  const take = (masterJson) => novu.translations.master.import({ locale: "pt_BR", masterJson }).then((r) => r.result ?? r);
  const some = await take({ workflows: { welcome: { hi: "Oi" }, nobody: { hi: "?" } }, layouts: {} });
  assert.equal(some.success, true);
  assert.match(some.message, /^Partial import completed/);
  assert.deepEqual([some.successful, some.failed], [["welcome"], ["nobody"]]);
  const none = await take({ workflows: { nobody: { hi: "?" } } });
  assert.deepEqual([none.success, none.message, none.successful, none.failed], [false, "Failed to import any resources", undefined, ["nobody"]]);
  const empty = await take({ workflows: {} });
  assert.equal(empty.success, false);
  assert.match(empty.message, /^No supported resources found/);
  const file = await novu.translations.master.upload({ file: json("pt_BR.json", { workflows: { invoice: { due: "Vence" } } }) });
  assert.equal((file.result ?? file).success, true);
  const out = await novu.translations.master.retrieve("pt_BR");
  assert.deepEqual((out.result ?? out).workflows, { invoice: { due: "Vence" }, welcome: { hi: "Oi" } });
  assert.deepEqual((out.result ?? out).layouts, {});

  const form = new FormData();
  for (const name of ["pt_BR.json", "de_DE.json"]) form.append("file", new Blob(["{}"]), name);
  const two = await fetch(`${server.url}/v2/translations/master-json/upload`, { method: "POST", headers: { Authorization: `ApiKey ${server.dev.secretKey}` }, body: form });
  assert.equal(two.status, 400);
});

test("lists name what is translated", async () => {
  const list = async (query = "") => (await server.call("GET", `/v2/translations/list${query}`)).body;
  const all = await list();
  assert.deepEqual([all.total, all.limit, all.offset, all.data.map((g) => g.resourceId).sort()], [2, 50, 0, ["invoice", "welcome"]]);
  assert.deepEqual((await list("?query=INVO")).data.map((g) => [g.resourceName, g.locales]), [["invoice", ["pt_BR"]]]);
  assert.deepEqual((await list("?limit=1&offset=1")).data.length, 1);
  assert.deepEqual((await list("?offset=1000")).data, []);
  const one = (await server.call("GET", "/v2/translations?resourceType=workflow&resourceId=welcome")).body;
  assert.deepEqual([one.total, one.data.map((t) => t.locale)], [3, ["fr_FR", "it_IT", "pt_BR"]]);
  assert.equal((await server.call("GET", "/v2/translations")).status, 422);
});

test("the organisation's locales decide what stands in and what is outdated", async () => {
  const settings = (body) => server.call(body ? "PATCH" : "GET", "/v1/organizations/settings", body);
  const group = async () => (await server.call("GET", "/v2/translations/group/workflow/welcome")).body.data;
  assert.deepEqual((await settings()).body.data, { removeNovuBranding: true, defaultLocale: "en_US", targetLocales: [] });
  assert.equal((await settings({ defaultLocale: "english" })).status, 422);
  assert.equal((await settings({ targetLocales: ["de_DE", "x"] })).status, 422);
  await put("en_US", { hi: "Hello", bye: "Bye" });
  assert.deepEqual((await settings({ targetLocales: ["fr_FR", "de_DE"] })).body.data.targetLocales, ["fr_FR", "de_DE"]);
  assert.deepEqual((await group()).outdatedLocales, ["de_DE"], "de_DE is missing, others are nobody's target");
  await later();
  await put("en_US", { hi: "Hello!", bye: "Bye" });
  assert.deepEqual((await group()).outdatedLocales, ["fr_FR", "de_DE"]);

  const flow = (await novu.workflows.update({ name: "welcome", workflowId: "welcome", isTranslationEnabled: true, active: true, preferences: {}, steps: [{ name: "In", type: "in_app", controlValues: { body: "{{t.hi}} {{t.bye}}" } }] }, "welcome")).result;
  const preview = (locale) => server.call("POST", `/v2/workflows/welcome/step/${flow.steps[0].id}/preview`, { previewPayload: { subscriber: { locale } } }).then((r) => r.body.data.result.preview.body);
  assert.equal(await preview("fr_FR"), "Bonjour Bye", "a key that the reader's locale lacks comes from the default one");
  await settings({ defaultLocale: "it_IT", targetLocales: [] });
  assert.equal(await preview("sv_SE"), "Ciao [Translation missing: bye]");
  await novu.trigger({ workflowId: "welcome", to: { subscriberId: "reader", locale: "sv_SE" }, transactionId: "in-it" });
  await until(async () => (await server.call("GET", "/v1/messages?transactionId=in-it")).body.data[0]?.content === "Ciao [Translation missing: bye]", "the message in the organisation's language");
  await settings({ defaultLocale: "en_US" });
});

test("translation keys may be arguments of filters", async () => {
  await novu.workflows.create({ name: "Apples", workflowId: "apples", isTranslationEnabled: true, steps: [{ name: "Mail", type: "email", controlValues: { subject: "S", body: "b" } }, { name: "In", type: "in_app", controlValues: { body: "b" } }] });
  await put("en_US", { one: "apple", few: "apples" }, "apples");
  const { steps } = (await novu.workflows.get("apples")).result;
  const text = "{{payload.n | pluralize: 't.one', 't.few'}}";
  for (const [step, controlValues] of [[steps[0], { subject: text, body: text, editorType: "html" }], [steps[1], { body: text }]]) {
    const { body } = await server.call("POST", `/v2/workflows/apples/step/${step.id}/preview`, { controlValues, previewPayload: { payload: { n: 2 } } });
    assert.equal(body.data.result.preview.body, "2 apples");
    assert.equal(body.data.result.preview.subject ?? "2 apples", "2 apples");
  }
});
