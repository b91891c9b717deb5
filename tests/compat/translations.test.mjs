// Translations with the real client: one by one, uploaded as files, as one master document.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
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
  assert.deepEqual((await group()).outdatedLocales, []);
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
  const result = await novu.translations.upload({
    resourceId: "welcome",
    resourceType: "workflow",
    files: [json("fr_FR.json", { hi: "Bonjour" }), json("german.json", {}), json("es_ES.json", "{nope"), json("it_IT.json", { hi: "Ciao" })],
  });
  const answer = result.result ?? result;
  assert.equal(answer.totalFiles, 4);
  assert.equal(answer.successfulUploads, 2);
  assert.equal(answer.failedUploads, 2);
  assert.match(answer.errors[0], /^german\.json: the file must be named by its locale/);
  assert.match(answer.errors[1], /^es_ES\.json: /);
  const one = await novu.translations.retrieve({ resourceType: "workflow", resourceId: "welcome", locale: "fr_FR" });
  assert.deepEqual((one.result ?? one).content, { hi: "Bonjour" });
  const none = await server.call("POST", "/v2/translations/upload", "x", { headers: { "Content-Type": "text/plain" } });
  assert.equal(none.status, 400);
});

test("the master document goes in and comes out", async () => {
  const imported = await novu.translations.master.import({
    locale: "pt_BR",
    masterJson: { workflows: { welcome: { hi: "Oi" }, nobody: { hi: "?" } }, layouts: {} },
  });
  const answer = imported.result ?? imported;
  assert.equal(answer.success, false);
  assert.deepEqual(answer.successful, ["welcome"]);
  assert.deepEqual(answer.failed, ["nobody"]);
  const file = await novu.translations.master.upload({ file: json("pt_BR.json", { workflows: { invoice: { due: "Vence" } } }) });
  assert.equal((file.result ?? file).success, true);
  const out = await novu.translations.master.retrieve("pt_BR");
  assert.deepEqual((out.result ?? out).workflows, { invoice: { due: "Vence" }, welcome: { hi: "Oi" } });
  assert.deepEqual((out.result ?? out).layouts, {});
});
