// What a person receives: translations by locale, layouts around e-mails, environment variables, block documents.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server.stop());

const put = (resourceType, resourceId, locale, content) =>
  server.call("POST", "/v2/translations", { resourceId, resourceType, locale, content }).then((r) => assert.equal(r.status, 200, r.text));
const mailTo = async (to) => (await server.call("GET", `/v1/outbox/wait?to=${to}&channel=email&timeout=10`)).body.data;
const bodyOf = async (to) => (await mailTo(to)).html;
const inApp = async (subscriberId) =>
  until(async () => (await novu.messages.retrieve({ subscriberId, channel: "in_app" })).result.data[0], "the in-app message");
const block = (...content) => JSON.stringify({ type: "doc", content: [{ type: "paragraph", content }] });
const trigger = (workflowId, to, payload = {}) => novu.trigger({ workflowId, to, payload });

test("texts are in the reader's language, the default one, or said to be missing", async () => {
  await novu.workflows.create({
    name: "Greet",
    workflowId: "greet",
    isTranslationEnabled: true,
    active: true,
    steps: [
      { name: "In", type: "in_app", controlValues: { subject: "{{t.title}}", body: "{{ t.deep.body }} {{t.nope}}" } },
      { name: "Mail", type: "email", controlValues: { subject: "{{t.title}}", body: "<p>{{t.deep.body}}</p>", editorType: "html" } },
    ],
  });
  await put("workflow", "greet", "en_US", { title: "Hello {{subscriber.firstName}}", deep: { body: "You have {{payload.n}} points" } });
  await put("workflow", "greet", "de_DE", { title: "Hallo {{subscriber.firstName}}", deep: { body: 'Sie haben "{{payload.n}}" Punkte' } });
  await trigger("greet", { subscriberId: "de", firstName: "Ada", email: "de@example.com", locale: "de-DE" }, { n: 7 });
  await trigger("greet", { subscriberId: "fr", firstName: "Zoé", email: "fr@example.com", locale: "fr_FR" }, { n: 8 });
  const german = await inApp("de");
  assert.equal(german.subject, "Hallo Ada");
  assert.equal(german.content, 'Sie haben "7" Punkte [Translation missing: nope]');
  assert.equal((await inApp("fr")).subject, "Hello Zoé");
  const mail = await mailTo("de@example.com");
  assert.equal(mail.subject, "Hallo Ada");
  assert.match(mail.html, /<p>Sie haben "7" Punkte<\/p>/);
  assert.match(await bodyOf("fr@example.com"), /You have 8 points/);
  await put("workflow", "greet", "de_DE", { title: "Servus" });
  await trigger("greet", { subscriberId: "at", email: "at@example.com", locale: "de_DE" });
  assert.equal((await mailTo("at@example.com")).subject, "Servus");
});

test("without the switch keys stay as they are", async () => {
  await novu.workflows.create({ name: "Plain", workflowId: "plain", active: true, steps: [{ name: "In", type: "in_app", controlValues: { body: "{{t.title}}" } }] });
  await trigger("plain", "plain-reader");
  assert.equal((await inApp("plain-reader")).content, "{{t.title}}");
});

test("a layout stands around the body, with its own translations; overrides choose another or none", async () => {
  await novu.layouts.create({ layoutId: "frame", name: "Frame", isTranslationEnabled: true });
  await novu.layouts.update({ name: "Frame", isTranslationEnabled: true, controlValues: { email: { editorType: "html", body: "<main>{{content}}<footer>{{t.bye}} {{env.BRAND}}</footer></main>" } } }, "frame");
  await novu.layouts.create({ layoutId: "other", name: "Other" });
  await novu.layouts.update({ name: "Other", controlValues: { email: { editorType: "html", body: "<section>{{content}}</section>" } } }, "other");
  await put("layout", "frame", "en_US", { bye: "Bye" });
  await put("layout", "frame", "de_DE", { bye: "Tschüss" });
  await novu.environmentVariables.create({ key: "BRAND", values: [{ environmentId: server.dev._id, value: "Acme" }] });
  const mail = { name: "Mail", type: "email", controlValues: { subject: "S", body: "<p>Hi {{payload.x}}</p>", editorType: "html", layoutId: "frame" } };
  await novu.workflows.create({ name: "Framed", workflowId: "framed", active: true, steps: [mail] });
  await trigger("framed", { subscriberId: "l1", email: "l1@example.com", locale: "de_DE" }, { x: 1 });
  assert.match(await bodyOf("l1@example.com"), /<main><p>Hi 1<\/p><footer>Tschüss Acme<\/footer><\/main>/);
  await novu.trigger({ workflowId: "framed", to: { subscriberId: "l2", email: "l2@example.com" }, payload: { x: 2 }, overrides: { channels: { email: { layoutId: "other" } } } });
  assert.match(await bodyOf("l2@example.com"), /<section><p>Hi 2<\/p><\/section>/);
  await novu.trigger({ workflowId: "framed", to: { subscriberId: "l3", email: "l3@example.com" }, payload: { x: 3 }, overrides: { channels: { email: { layoutId: null } } } });
  const bare = await bodyOf("l3@example.com");
  assert.ok(!bare.includes("<main>") && bare.includes("<p>Hi 3</p>"));
  const silent = { ...mail, controlValues: { ...mail.controlValues, layoutId: undefined } };
  await novu.workflows.create({ name: "Silent", workflowId: "silent", active: true, steps: [silent] });
  await trigger("silent", { subscriberId: "l5", email: "l5@example.com" }, { x: 5 });
  assert.match(await bodyOf("l5@example.com"), /<main><p>Hi 5<\/p><footer>Bye Acme/, "the first layout is the default");
  const missing = await novu.trigger({ workflowId: "framed", to: { subscriberId: "l4", email: "l4@example.com" }, overrides: { channels: { email: { layoutId: "nowhere" } } } });
  await until(async () => {
    const run = (await novu.notifications.list({ transactionId: missing.result.transactionId })).result.data[0];
    return run?.jobs.flatMap((j) => j.executionDetails).some((d) => d.detail === "Layout not found ");
  }, "the detail of the missing layout");
});

test("a step cannot name a layout that is not there", async () => {
  const mail = (layoutId) => [{ name: "Mail", type: "email", controlValues: { subject: "S", body: "b", editorType: "html", layoutId } }];
  const unknown = (promise) => assert.rejects(promise, (e) => e.statusCode === 404 && /^Layout not found for id nowhere in the environment [0-9a-f]{24}$/.test(JSON.parse(e.body).message));
  await unknown(novu.workflows.create({ name: "Astray", workflowId: "astray", steps: mail("nowhere") }));
  await novu.layouts.create({ layoutId: "brief", name: "Brief" });
  const { result: w } = await novu.workflows.create({ name: "Astray", workflowId: "astray", steps: mail("brief") });
  assert.equal(w.workflowId, "astray", "the refused create left nothing");
  const update = (name, layoutId) => novu.workflows.update({ name, workflowId: w.workflowId, origin: w.origin, preferences: { user: null }, steps: [{ ...mail(layoutId)[0], id: w.steps[0].id }] }, w.workflowId);
  await unknown(update("Astray", "nowhere"));
  assert.equal((await update("Renamed", "brief")).result.name, "Renamed");
});

test("a block document becomes e-mail HTML, translated inside", async () => {
  await novu.workflows.create({
    name: "Blocks",
    workflowId: "blocks",
    isTranslationEnabled: true,
    active: true,
    steps: [{ name: "Mail", type: "email", controlValues: { subject: "S", editorType: "block", layoutId: null, body: block({ type: "text", text: "{{t.hi}} " }, { type: "variable", attrs: { id: "payload.who" } }) } }],
  });
  await put("workflow", "blocks", "en_US", { hi: 'Say "hi" to' });
  await trigger("blocks", { subscriberId: "b1", email: "b1@example.com" }, { who: "Grace & Co" });
  const html = await bodyOf("b1@example.com");
  assert.match(html, /<p style="[^"]*">Say (&quot;|")hi(&quot;|") to Grace &amp; Co<\/p>/);
  assert.match(html, /<html/);
});

test("a chat written in blocks is a card and its Markdown, translated and filled in; text stays what it is", async () => {
  const chat = async (workflowId, controlValues, to, payload = {}) => {
    await novu.workflows.create({ name: workflowId, workflowId, active: true, isTranslationEnabled: true, steps: [{ name: "Chat", type: "chat", controlValues }] });
    await put("workflow", workflowId, "en_US", { hi: "Hi {{subscriber.firstName}}" });
    await put("workflow", workflowId, "de_DE", { hi: "Hallo {{subscriber.firstName}}" });
    await trigger(workflowId, to, payload);
    return (await server.call("GET", `/v1/outbox/wait?to=${to.subscriberId}&channel=chat&timeout=10`)).body.data.text;
  };
  const paragraph = (...content) => ({ type: "paragraph", content });
  const variable = (id) => ({ type: "variable", attrs: { id } });
  const body = JSON.stringify({
    type: "doc",
    content: [
      paragraph({ type: "text", text: "{{t.hi}}" }),
      { type: "repeat", attrs: { each: "payload.items" }, content: [paragraph(variable("payload.items.name"))] },
      { ...paragraph({ type: "text", text: "hidden" }), attrs: { showIfKey: "payload.no" } },
      { type: "button", attrs: { text: "Open", url: "payload.url", isUrlVariable: true } },
    ],
  });
  const payload = { items: [{ name: "O'Brien & <C>" }], url: "https://x.example/?a=1&b=2", no: false };
  const filled = "O'Brien & <C>\n\nOpen: https://x.example/?a=1&b=2";
  assert.equal(await chat("chat-de", { editorType: "block", body }, { subscriberId: "chat-de", firstName: "Ada", locale: "de_DE" }, payload), `Hallo Ada\n\n${filled}`);
  assert.equal(await chat("chat-en", { body }, { subscriberId: "chat-en", firstName: "Zoé" }, payload), `Hi Zoé\n\n${filled}`);
  const json = JSON.stringify({ blocks: [{ text: "{{payload.no}}" }] });
  assert.equal(await chat("chat-json", { body: json }, { subscriberId: "chat-json" }, payload), '{"blocks":[{"text":"false"}]}');
  assert.equal(await chat("chat-text", { editorType: "text", body: '{"type":"doc","content":[]}' }, { subscriberId: "chat-text" }), '{"type":"doc","content":[]}');
});
