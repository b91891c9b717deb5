// What is promised of previews of steps and layouts beyond workflows.test.mjs and layouts.test.mjs: made-up data, digests,
// links and images in blocks, requests.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, made = 0;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

const object = (properties) => ({ type: "object", properties });
const string = { type: "string" };
const create = async (steps, payloadSchema) => (await novu.workflows.create({ name: `P ${++made}`, workflowId: `p-${made}`, active: true, steps, payloadSchema })).result;
const preview = async (workflow, step, controlValues, previewPayload) =>
  (await novu.workflows.steps.generatePreview({ workflowId: workflow.id, stepId: workflow.steps[step].id, generatePreviewRequestDto: { controlValues, previewPayload } })).result;
const inApp = { name: "Bell", type: "in_app", controlValues: { body: "b" } }, email = { name: "Mail", type: "email", controlValues: { subject: "s", body: "b" } };
const digest = { name: "DigestStep", type: "digest", controlValues: { amount: 1, unit: "hours" } };
const person = { firstName: "John", lastName: "Doe", email: "user@example.com", phone: "+1234567890", avatar: "https://example.com/avatar.png", locale: "en_US", timezone: "America/New_York", data: {} };

const text = (value, href) => ({ type: "text", text: value, ...(href && { marks: [{ type: "link", attrs: { href, target: "_blank", isUrlVariable: !href.includes(":"), aliasFor: null } }, { type: "underline" }] }) });
const variable = (id, aliasFor = null) => ({ type: "variable", attrs: { id, label: null, fallback: null, required: false, aliasFor } });
const node = (type, attrs, ...content) => ({ type, attrs: { showIfKey: null, ...attrs }, ...(content.length && { content }) });
const paragraph = (...content) => node("paragraph", { textAlign: null }, ...content);
const doc = (...content) => JSON.stringify({ type: "doc", content });

test("what an in-app preview's links are made of may stand in a URL", async () => {
  const { result: flow } = await novu.workflows.create({ name: "Links", workflowId: "links", steps: [{ name: "In", type: "in_app", controlValues: { body: "b" } }] });
  const preview = async (url, payload) => {
    const controlValues = { body: "{{payload.name}}", redirect: { url, target: "_self" }, primaryAction: { label: "Go", redirect: { url: "https://x.example/{{payload.deep.er}}", target: "_self" } } };
    const { body } = await server.call("POST", `/v2/workflows/links/step/${flow.steps[0].id}/preview`, { controlValues, previewPayload: { payload } });
    return body.data;
  };
  for (const [given, url] of [
    ["two  words ", "https://x.example/two-words"],
    ["Zoë + co", "https://x.example/Zo%C3%AB-+-co"],
    ["plain", "https://x.example/plain"],
    [7, "https://x.example/name"],
    [undefined, "https://x.example/name"],
  ]) {
    const data = await preview("https://x.example/{{payload.name}}", { name: given });
    assert.equal(data.result.preview.redirect.url, url);
    assert.equal(data.result.preview.primaryAction.redirect.url, "https://x.example/er");
    assert.equal(data.previewPayloadExample.payload.name, url.slice(18));
  }
  const kept = await preview("https://x.example/fixed", { name: "two words" });
  assert.equal(kept.result.preview.body, "two words", "other texts are as they are given");
});

test("a chat's block document is a card, with its Markdown beside it", async () => {
  const { result: flow } = await novu.workflows.create({ name: "Card", workflowId: "card", active: true, steps: [{ name: "Chat", type: "chat", controlValues: { body: "b" } }] });
  const body = JSON.stringify({
    type: "doc",
    content: [
      { type: "heading", content: [{ type: "text", text: "Order {{payload.number}}" }] },
      { type: "paragraph", content: [{ type: "text", text: "It is " }, { type: "text", text: "ready", marks: [{ type: "bold" }] }] },
      { type: "horizontalRule" },
      { type: "cardActions", content: [{ type: "cardButton", attrs: { label: "View", url: "{{payload.link}}", style: "primary", actionId: "view" } }, { type: "cardButton", attrs: { label: "Nowhere", url: "" } }] },
    ],
  });
  const card = {
    type: "card",
    children: [
      { type: "text", content: "Order 7", style: "bold" },
      { type: "text", content: "It is **ready**", style: "plain" },
      { type: "divider" },
      { type: "actions", children: [{ type: "link-button", label: "View", url: "https://x.example/7", style: "primary", id: "view" }] },
    ],
  };
  const payload = { number: "7", link: "https://x.example/7" };
  const { result } = await novu.workflows.steps.generatePreview({ workflowId: "card", stepId: flow.steps[0].id, generatePreviewRequestDto: { controlValues: { body }, previewPayload: { payload } } });
  assert.deepEqual(result.result.preview, { body: "**Order 7**\n\nIt is **ready**\n\n---\n\nView: https://x.example/7", card });
  assert.deepEqual(result.previewPayloadExample.payload, payload);
  await novu.workflows.update({ ...flow, steps: [{ ...flow.steps[0], controlValues: { body } }] }, "card");
  await novu.trigger({ workflowId: "card", to: { subscriberId: "carded" }, payload });
  const { data } = (await server.call("GET", "/v1/outbox/wait?to=carded&channel=chat&timeout=10")).body;
  assert.deepEqual([data.text.slice(0, 11), data.card], ["**Order 7**", card]);
});

test("an in-app step: what is given, else what the schema says, else made up", async () => {
  const placeholder = object({ body: { type: "string", default: "Default body text" }, random: string });
  const flow = await create([inApp, email], object({ placeholder, label: { type: "string", default: "Click here" }, organizationName: { type: "string", default: "Pokemon" } }));
  const action = (label) => ({ label, redirect: { target: "_blank", url: "/home" } });
  const rest = { avatar: "https://www.example.com/avatar.png", secondaryAction: action("Secondary"), data: { key: "value" }, redirect: { target: "_blank", url: "https://www.example.com/redirect" } };
  const values = { ...rest, subject: "{{subscriber.firstName}} Hello ", body: "Hello {{payload.placeholder.body}} {{payload.placeholder.random}}", primaryAction: action("{{payload.label}}") };
  const said = await preview(flow, 0, values, { subscriber: { firstName: "Eve" }, payload: { label: "New", placeholder: { random: "random" } } });
  assert.deepEqual(said.result, { type: "in_app", preview: { ...rest, subject: "Eve Hello ", body: "Hello Default body text random", primaryAction: action("New") } });
  assert.deepEqual(said.previewPayloadExample, {
    payload: { placeholder: { body: "Default body text", random: "random" }, label: "New", organizationName: "Pokemon" }, subscriber: { ...person, firstName: "Eve" }, steps: {},
  });
  const partial = await preview(flow, 0, { ...values, primaryAction: { label: "{{payload.label}}", redirect: { target: "_blank" } }, secondaryAction: null, redirect: { target: "_blank", url: "   " } });
  assert.equal(partial.result.preview.body, "Hello Default body text example text");
  assert.notDeepEqual((await preview(flow, 0, { ...values, body: undefined })).result.preview, {});
});

test("a digest before it has three events of what the schema says", async () => {
  const payload = object({ foo: string, name: string, link: string, items: { type: "array", items: object({ foo: string, bar: string }) } });
  const flow = await create([digest, email], payload);
  assert.equal(flow.steps[0].stepId, "digest-step");
  const made = { foo: "example text", name: "John Doe", link: "https://example.com", items: Array(3).fill({ foo: "example text", bar: "example text" }) };
  const bodyOf = async (...content) => {
    const { result, previewPayloadExample } = await preview(flow, 1, { subject: "s", body: doc(...content) }, {});
    const { eventCount, events } = previewPayloadExample.steps["digest-step"];
    assert.equal(eventCount, 3);
    for (const [i, e] of events.entries()) {
      assert.deepEqual([e.id, e.payload], [`example-id-${i + 1}`, made]);
      assert.ok(!Number.isNaN(Date.parse(e.time)));
    }
    return result.preview.body;
  };
  const digestOf = "steps.digest-step";
  assert.match(await bodyOf(paragraph(text("length "), variable(`${digestOf}.events.length`), text(" "))), />length 3\s</);
  assert.match(await bodyOf(paragraph(text("count "), variable(`${digestOf}.eventCount`), text(" "))), />count 3\s</);
  const all = await bodyOf(paragraph(variable(`${digestOf}.events`)), paragraph(text(`one: {{${digestOf}.events[0].payload.foo}}`)));
  assert.equal(all.match(/'id':'example-id-\d+'/g).length, 3);
  assert.match(all, /one: example text</);
  const summary = await bodyOf(paragraph(variable(`${digestOf}.eventCount | pluralize: 'notification', 'notifications'`)), paragraph(variable(`${digestOf}.events | toSentence: 'payload.name', 2, 'other'`)));
  assert.match(summary, />3 notifications</);
  assert.match(summary, />John Doe, John Doe, and 1 other</);
  const repeated = await bodyOf(node("repeat", { each: `${digestOf}.events`, iterations: 5 }, paragraph(variable(`${digestOf}.events.payload.name`)), paragraph(variable("current.payload.foo", `${digestOf}.events.payload.foo`))));
  assert.deepEqual([repeated.match(/John Doe/g).length, repeated.match(/example text/g).length], [3, 3]);
});

test("links and images in blocks: fixed ones, variables, and the current one of a repetition", async () => {
  const names = ["paragraph", "heading", "blockquote", "bullet", "button", "image", "linked", "inline", "inline_link", "numbered"];
  const flow = await create([inApp, email], object({ ...Object.fromEntries(names.map((n) => [n, { type: "string", example: `${n}_url` }])), items: { type: "array", items: object({ link: string }) } }));
  const src = "https://files.example/hero.webp", logo = "https://files.example/logo.png";
  const image = (attrs) => node("image", { src, alt: null, title: null, width: 568, height: 153, alignment: "center", externalLink: null, isExternalLinkVariable: false, isSrcVariable: false, ...attrs });
  const inline = (attrs) => paragraph(node("inlineImage", { src: logo, width: 20, height: 20, alt: null, title: null, isSrcVariable: false, externalLink: null, isExternalLinkVariable: false, ...attrs }));
  const item = (...content) => node("listItem", { color: null }, paragraph(...content));
  const body = doc(
    paragraph(text("p", "payload.paragraph")), paragraph(text("p", "https://paragraph.static.link")), node("heading", { level: 1 }, text("h", "payload.heading")),
    { type: "blockquote", content: [paragraph(text("q", "payload.blockquote"))] }, { type: "bulletList", content: [item(text("b", "payload.bullet"))] },
    node("button", { text: "B", url: "payload.button", isUrlVariable: true }), node("button", { text: "C", url: "https://button.static.link", isUrlVariable: false }),
    image({}), image({ src: "payload.image", isSrcVariable: true, width: "auto", height: "auto" }), image({ externalLink: "payload.linked", isExternalLinkVariable: true }), image({ externalLink: "https://image.static.link" }),
    inline({}), inline({ externalLink: "payload.inline_link", isExternalLinkVariable: true }), inline({ src: "payload.inline", isSrcVariable: true }),
    { type: "orderedList", attrs: { start: 1 }, content: [item(text("n", "payload.numbered"))] },
  );
  const block = (href) => `<a href="${href}" rel="noopener noreferrer" style="display:block;max-width:100%;text-decoration:none" target="_blank"><img title="Image" alt="Image" src="${src}"`;
  const want = (url) => [...["paragraph", "heading", "blockquote", "bullet", "button", "numbered"].map((n) => `href="${url(n)}"`), 'href="https://paragraph.static.link"', 'href="https://button.static.link"',
    `<img title="Image" alt="Image" src="${url("image")}"`, block(url("linked")), block("https://image.static.link"), `<img src="${logo}"`, `<img src="${url("inline")}"`,
    `<a href="${url("inline_link")}" rel="noopener noreferrer" style="display:inline;text-decoration:none" target="_blank"><img src="${logo}"`];
  const made = await preview(flow, 1, { subject: "s", body }, {});
  for (const part of want((n) => `${n}_url`)) assert.ok(made.result.preview.body.includes(part), part);
  const given = await preview(flow, 1, { subject: "s", body }, { payload: Object.fromEntries(names.map((n) => [n, `https://${n}.example`])) });
  for (const part of want((n) => `https://${n}.example`)) assert.ok(given.result.preview.body.includes(part), part);
  const current = { type: "link", attrs: { href: "current.link", target: "_blank", isUrlVariable: true, aliasFor: "payload.items.link" } };
  const repeat = doc(node("repeat", { each: "payload.items", iterations: 0 }, paragraph(text("v", "payload.items.link")), paragraph({ type: "text", text: "c", marks: [current] })));
  const six = await preview(flow, 1, { subject: "s", body: repeat }, { payload: { items: Array(6).fill({ link: "https://six.example" }) } });
  assert.equal(six.result.preview.body.match(/href="https:\/\/six\.example"/g).length, 12);
});

test("earlier steps, actors and contexts are made up where they are used", async () => {
  const body = "[[{{steps.bell.seen}}]] {{subscriber.firstName}} {{actor.firstName}} {{context.tenant.data.plan}}";
  const flow = await create([inApp, { name: "Text", type: "sms", controlValues: { body } }]);
  const said = await preview(flow, 1, { body });
  assert.equal(said.result.preview.body, "[[true]] John Jane plan");
  assert.deepEqual(said.previewPayloadExample.context, { tenant: { id: "example-tenant-id", data: { plan: "plan" } } });
  const { subscriberId, lastName, email: address } = said.previewPayloadExample.actor;
  assert.deepEqual([subscriberId, lastName, address], [undefined, "Actor", "actor@example.com"]);
  const context = async (given) => (await preview(flow, 1, { body: "{{context.tenant.data.plan}}" }, { context: given })).previewPayloadExample.context;
  assert.deepEqual(await context({ tenant: { id: "acme", data: { plan: "pro", more: 1 } } }), { tenant: { id: "acme", data: { plan: "pro", more: 1 } } });
  assert.deepEqual(await context({ organization: "org" }), { tenant: { id: "example-tenant-id", data: { plan: "plan" } }, organization: { id: "org", data: {} } });
});

test("an HTTP request shows how it would be signed", async () => {
  const flow = await create([{ name: "Fetch", type: "http_request", controlValues: { method: "POST", url: "https://api.example/x", body: '{"a":"{{payload.a}}"}' } }]);
  const { body } = await server.call("POST", `/v2/workflows/${flow.id}/step/${flow.steps[0].id}/preview`, {});
  assert.match(body.data.novuSignature, /^t=\d+,v1=[0-9a-f]{64}$/);
});

test("a layout: stored or as it is being edited, complete or not", async () => {
  await novu.layouts.create({ layoutId: "html", name: "HTML" });
  const html = (inner) => `<html><head><style>.x { color: red; }</style></head><body>${inner}</body></html>`;
  await novu.layouts.update({ name: "HTML", controlValues: { email: { body: html('<h1>Welcome {{subscriber.firstName}}!</h1><div class="content">{{content}}</div>'), editorType: "html" } } }, "html");
  const show = async (request) => {
    const { result } = await novu.layouts.generatePreview(request, "html");
    assert.equal(result.result.type, "email");
    assert.equal(typeof result.result.preview.body, "string");
    return [result.result.preview.body, result.previewPayloadExample];
  };
  const edited = (body, editorType = "html") => ({ controlValues: { email: { body, editorType } } });
  assert.match((await show({}))[0], /<html>.*<h1>Welcome John!<\/h1><div class="content"><p>Dynamic placeholder content<\/p><\/div>/s);
  const subscriber = { ...person, firstName: "Jane", email: "jane@example.com", locale: "en-US" };
  assert.deepEqual((await show({ previewPayload: { subscriber } }))[1].subscriber, subscriber);
  assert.equal((await show({ ...edited(html("{{content}}")), previewPayload: { subscriber: { firstName: "Alice", accountType: "Premium" } } }))[1].subscriber.firstName, "Alice");
  assert.match((await show(edited(html("<p>&amp; &lt; 🎉 {{currentDate}}</p>{{content}}"))))[0], /<p>&amp; &lt; 🎉 <\/p>/);
  for (const request of [{ controlValues: {} }, edited("no content variable"), edited("no JSON", "block"), edited(doc(...Array(50).fill(paragraph(text("p"))), paragraph(variable("content"))), "block")]) await show(request);
  await assert.rejects(novu.layouts.generatePreview({}, "none"), (e) => e.statusCode === 404);
});
