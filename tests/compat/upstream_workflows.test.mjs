// What is promised of /v2/workflows beyond workflows.test.mjs: names and tags, ids that stay, what older clients see of it.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

const inApp = (more) => ({ name: "In-App Step", type: "in_app", controlValues: { subject: "S", body: "B" }, ...more });
const email = (more) => ({ name: "Email Step", type: "email", controlValues: { subject: "S", body: "<p>B</p>", editorType: "html", disableOutputSanitization: false }, ...more });
const workflow = (more) => ({ name: "Flow", workflowId: "flow", description: "d", active: true, tags: ["tag1", "tag2"], steps: [email(), inApp()], ...more });
const create = async (more) => (await novu.workflows.create(workflow(more))).result;
/** What a client sends back of what it got. */
const again = (w) => ({ ...w, steps: w.steps.map((s) => ({ id: s.id, type: s.type, name: s.name, controlValues: s.controls.values })) });
const refused = async (call, status, said) => {
  const { status: got, body, text } = await call;
  assert.equal(got, status, text);
  const messages = body.errors?.general.messages ?? [body.message];
  assert.ok(messages.some((m) => m.startsWith(said)), text);
  return body;
};

const length = (n) => "x".repeat(n);
const forms = [
  [{ name: "" }, "name must be longer than or equal to 1 characters"],
  [{ name: length(65) }, "name must be shorter than or equal to 64 characters"],
  [{ description: length(257) }, "description must be shorter than or equal to 256 characters"],
  [{ tags: ["a", length(65)] }, "each value in tags must be longer than or equal to 1 and shorter than or equal to 64 characters"],
  [{ tags: ["a", ""] }, "each value in tags must be longer than or equal to 1 and shorter than or equal to 64 characters"],
  [{ tags: ["a", "b", "a"] }, "All tags's elements must be unique"],
  [{ tags: Array.from({ length: 17 }, (_, i) => `t${i}`) }, "tags must contain no more than 16 elements"],
  [{ payloadSchema: { type: "invalid-type", properties: "not-an-object" } }, "payloadSchema must be a valid JSON schema"],
  [{ steps: [email({ name: "" })] }, "steps.0.name must be longer than or equal to 1 characters"],
];
test("a chat's card is held against its buttons and the chats that would show it", async () => {
  const text = (s) => ({ type: "paragraph", content: [{ type: "text", text: s }] });
  const doc = (...content) => JSON.stringify({ type: "doc", content });
  const issues = async (body, providerOverrides) => {
    const made = await server.call("POST", "/v2/workflows", { name: "Chat card", workflowId: `card-${Math.random()}`, active: true, steps: [{ name: "Chat", type: "chat", controlValues: { body }, ...(providerOverrides && { providerOverrides }) }] });
    assert.equal(made.status, 201, made.text);
    return (made.body.data.steps[0].issues.controls?.body ?? []).map((i) => [i.issueType, i.severity, i.message]);
  };
  const button = (attrs) => doc(text("body"), { type: "cardActions", content: [].concat(attrs).map((a) => ({ type: "cardButton", attrs: a })) });
  const bad = (message) => ["CHAT_CARD_INVALID_BUTTON", "error", message];
  for (const [attrs, ...want] of [
    [{ label: "View", url: "" }, bad("Button url is required.")],
    [{ label: "View", url: "not-a-valid-url" }, bad("Button url is invalid.")],
    [{ label: "View", url: "ftp://x.example" }, bad("Button url is invalid.")],
    [{ label: " ", url: "https://example.com" }, bad("Button label is required.")],
    [{ label: "View order", url: "https://example.com/order" }],
    [{ label: "View", url: "{{ payload.link }}" }],
    [{ label: "{{payload.x}}", url: "https://{{ payload.host }}/path" }],
    [[{ label: "A", url: "https://a.example" }, { label: "", url: "payload.link" }], bad("Button 2: Button label is required."), bad("Button 2: Button url is invalid.")],
  ])
    assert.deepEqual(await issues(button(attrs)), want, JSON.stringify(attrs));

  const many = doc(...Array.from({ length: 51 }, (_, i) => text(`line ${i}`))), long = doc(text("a".repeat(5000)));
  assert.deepEqual(await issues(many), [], "no chat that minds");
  const chat = async (providerId) => (await server.call("POST", "/v1/integrations", { providerId, channel: "chat", active: true, check: false, credentials: {} })).body.data._id;
  const over = (severity, message) => ["CHAT_CARD_LIMIT_EXCEEDED", severity, message];
  const ids = [await chat("slack")];
  assert.deepEqual(await issues(many), [over("error", "Exceeds the 50-block limit (51).")]);
  assert.deepEqual(await issues(doc(text("hello"))), []);
  assert.deepEqual(await issues(many, { slack: { text: "instead" } }), [], "an override stands for the card");
  ids.push(await chat("telegram"));
  assert.deepEqual(await issues(long), [over("error", "Slack: A text block exceeds the 3000-character limit (5000)."), over("warning", "Telegram: Message exceeds the 4096-character limit (5000).")]);
  assert.deepEqual(await issues(long, { slack: { text: "instead" } }), [over("warning", "Telegram: Message exceeds the 4096-character limit (5000).")]);
  const status = async (providerOverrides) => (await server.call("POST", "/v2/workflows", { name: "Status", workflowId: `status-${Math.random()}`, active: true, steps: [{ name: "Chat", type: "chat", controlValues: { body: long }, providerOverrides }] })).body.data.status;
  assert.deepEqual([await status({}), await status({ slack: { text: "instead" } })], ["ERROR", "ACTIVE"], "warnings alone hold nothing up");
  for (const id of ids) await server.call("DELETE", `/v1/integrations/${id}`);
});

test("forms that are refused, made and changed alike", async () => {
  const made = await create({ name: "Forms", workflowId: "forms" });
  for (const [bad, said] of forms) {
    await refused(server.call("POST", "/v2/workflows", workflow(bad)), 422, said);
    await refused(server.call("PUT", "/v2/workflows/forms", workflow({ workflowId: "forms", preferences: { user: null }, origin: "novu-cloud", ...bad })), 422, said);
    if (!("steps" in bad)) await refused(server.call("PATCH", "/v2/workflows/forms", bad), 422, said);
  }
  assert.deepEqual((await novu.workflows.get("forms")).result, made);
  await create({ name: length(64), workflowId: "long", tags: [length(64)] });
  const copy = (await server.call("POST", "/v2/workflows/long/duplicate", {})).body.data;
  assert.equal(copy.name, `${length(57)} (Copy)`, "a copy has a name that can be sent back");
});

test("what is made is what is read; the same id again gets a short one after it", async () => {
  const first = await create({ name: "Twice", workflowId: "twice" }), second = await create({ name: "Twice", workflowId: "twice" });
  assert.match(second.workflowId, /^twice-\w{4}$/);
  assert.deepEqual((await novu.workflows.get(first.id)).result, first);
  assert.deepEqual([first.origin, first.issues, first.status], ["novu-cloud", {}, "ACTIVE"]);
  assert.ok(first.createdAt && first.updatedAt && first.preferences);
  const payloadSchema = { type: "object", properties: { name: { type: "string", description: "User name" }, age: { type: "number", minimum: 0 } }, required: ["name"] };
  const strict = await create({ payloadSchema, validatePayload: true });
  assert.deepEqual([strict.payloadSchema, strict.validatePayload], [payloadSchema, true]);
  assert.equal((await create({ validatePayload: false })).validatePayload, false);
});

test("an update by id, identifier or slug renames workflow and slug, and steps keep their ids", async () => {
  const made = await create({ name: "Named", workflowId: "named" });
  for (const [key, name] of [[made.id, "Named 1"], [made.workflowId, "Named 2"], [made.slug, "Named 3"], [made.slug.replace("named", "anything"), "Named 4"]]) {
    const { result } = await novu.workflows.update({ ...again(made), name }, key);
    assert.equal(result.slug, made.slug.replace("named", name.toLowerCase().replace(" ", "-")));
    assert.deepEqual(result.steps.map((s) => [s.id, s.slug, s.controls.values]), made.steps.map((s) => [s.id, s.slug, s.controls.values]));
    assert.ok(result.updatedAt > made.updatedAt);
  }
  const more = (await novu.workflows.update({ ...again(made), steps: [inApp(), ...again(made).steps] }, made.id)).result;
  assert.equal(new Set(more.steps.map((s) => s.id)).size, 3);
  assert.equal(new Set(more.steps.map((s) => s.stepId)).size, 3);
  const all = { all: { enabled: false, readOnly: false }, channels: Object.fromEntries(["in_app", "email", "sms", "chat", "push"].map((c) => [c, { enabled: true }])) };
  assert.equal((await novu.workflows.update({ ...again(made), preferences: { user: all } }, made.id)).result.preferences.user.all.enabled, false);
  const { user, default: standard } = (await novu.workflows.update({ ...again(made), preferences: { user: null } }, made.id)).result.preferences;
  assert.deepEqual([user, standard.all.enabled], [null, true]);
  const schema = { type: "object", properties: { email: { type: "string", format: "email" }, count: { type: "number", minimum: 1 } }, required: ["email"] };
  const { payloadSchema, validatePayload } = (await novu.workflows.update({ ...again(made), payloadSchema: schema, validatePayload: true }, made.id)).result;
  assert.deepEqual([payloadSchema, validatePayload], [schema, true]);
  assert.deepEqual([await novu.workflows.patch({ active: false }, made.id), await novu.workflows.patch({ active: true }, made.id)].map((r) => r.result.status), ["INACTIVE", "ACTIVE"]);
});

test("an issue goes with its cause", async () => {
  const url = "not-good-url-please-replace", redirect = { url, target: "_blank" };
  const made = await create({ workflowId: "issues", steps: [inApp({ controlValues: { redirect, primaryAction: { label: "a", redirect }, secondaryAction: { label: "b", redirect } } })] });
  const { issues } = (await novu.workflows.steps.retrieve(made.id, made.steps[0].id)).result;
  assert.deepEqual(issues.controls.body, [{ message: "Subject or body is required", issueType: "MISSING_VALUE", variableName: "body" }]);
  for (const path of ["redirect.url", "primaryAction.redirect.url", "secondaryAction.redirect.url"]) assert.equal(issues.controls[path].length, 1, path);
  assert.equal(made.status, "ERROR");
  const mended = (await novu.workflows.update({ ...again(made), steps: [inApp({ controlValues: { body: "b" } })] }, made.id)).result;
  assert.deepEqual([mended.steps[0].issues, mended.status], [{}, "ACTIVE"]);
  const empty = await create({ workflowId: "empty-variable", steps: [email({ controlValues: { subject: "Welcome {{}}", body: "Welcome {{}}", editorType: "html" } })] });
  for (const name of ["subject", "body"])
    assert.deepEqual(empty.steps[0].issues.controls[name].map((i) => [i.variableName, i.issueType]), [["{{}}", "ILLEGAL_VARIABLE_IN_CONTROL_VALUE"]]);
});

test("variables of a step: what its schema says, and the results before it", async () => {
  const payloadSchema = { type: "object", properties: { text: { type: "string" } }, required: [], additionalProperties: false };
  const made = await create({ workflowId: "results", payloadSchema, steps: [{ name: "Digest", type: "digest", controlValues: { amount: 1, unit: "hours" } }, inApp()] });
  const { properties } = (await novu.workflows.steps.retrieve(made.slug, made.steps[1].slug)).result.variables;
  assert.deepEqual(Object.keys(properties.payload.properties), ["text"]);
  const digest = properties.steps.properties[made.steps[0].stepId].properties;
  assert.equal(digest.eventCount.type, "number");
  assert.deepEqual(Object.keys(digest.events.items.properties.payload.properties), ["text"]);
});

test("lists: at most a hundred at once, pages without overlap, beyond the end nothing", async () => {
  for (let i = 0; i < 5; i++) await create({ name: `LISTED-${i}`, workflowId: `listed-${i}` });
  await refused(server.call("GET", "/v2/workflows?limit=101"), 422, "limit must not be greater than 100");
  await refused(server.call("GET", "/v2/layouts?limit=101"), 422, "limit must not be greater than 100");
  const page = async (offset, limit, query = "LISTED") => (await novu.workflows.list({ query, offset, limit })).result;
  const [first, second, beyond, none] = [await page(0, 3), await page(3, 3), await page(6, 3), await page(0, 3, "ABSENT")];
  assert.deepEqual([first, second, beyond].map((p) => [p.workflows.length, p.totalCount]), [[3, 5], [2, 5], [0, 5]]);
  assert.deepEqual([...first.workflows, ...second.workflows].map((w) => w.name), [4, 3, 2, 1, 0].map((i) => `LISTED-${i}`), "the newest first");
  assert.deepEqual(none, { workflows: [], totalCount: 0 });
});

test("older clients list what they made, and read the rest by its id", async () => {
  const group = (await server.call("GET", "/v1/notification-groups")).body.data.find((g) => g.name === "General");
  const old = (await server.call("POST", "/v1/workflows", { name: "Of old", description: "x", tags: ["t"], notificationGroupId: group._id, steps: [] })).body.data;
  const newer = await create({ name: "Of now", workflowId: "of-now" });
  const names = async (query) => (await server.call("GET", `/v1/workflows?query=${query}`)).body.data.map((w) => w.name);
  assert.deepEqual([await names("Of old"), await names("Of now"), await names("")], [["Of old"], [], ["Of old"]]);
  assert.equal((await server.call("GET", `/v1/workflows/${newer.id}`)).body.data.name, "Of now");
  assert.equal((await novu.workflows.get(old._id)).result.name, "Of old");
});

test("a promoted workflow has the ids of its environment, and otherwise nothing of its own", async () => {
  const made = await create({ name: "Promote", workflowId: "promote" });
  const sync = async () => (await novu.workflows.sync({ targetEnvironmentId: server.prod._id }, "promote")).result;
  const there = await sync();
  assert.notEqual(there.id, made.id);
  for (const member of ["workflowId", "name", "description", "tags", "preferences", "status", "origin"]) assert.deepEqual(there[member], made[member], member);
  assert.deepEqual(there.steps.map((s) => [s.stepId, s.name, s.type, s.controls.values]), made.steps.map((s) => [s.stepId, s.name, s.type, s.controls.values]));
  const steps = [{ ...email({ name: "Renamed" }), id: made.steps[0].id }, inApp({ name: "New one" })];
  await novu.workflows.update({ ...again(made), name: "Promoted", steps }, made.id);
  const after = await sync();
  assert.deepEqual([after.id, after.name, after.steps[0].id, after.steps[0].stepId, after.steps[0].name, after.steps[1].stepId],
    [there.id, "Promoted", there.steps[0].id, "email-step", "Renamed", "new-one"]);
  assert.notEqual(after.steps[1].id, there.steps[1].id);
  for (const call of [server.call("PUT", "/v2/workflows/123/sync", { targetEnvironmentId: "123" }), server.call("POST", "/v2/workflows/123/duplicate", { name: "x" }), server.call("GET", "/v2/workflows/123")])
    assert.equal((await refused(call, 404, "Workflow cannot be found")).ctx.workflowId, "123");
});

test("a copy takes what it is given", async () => {
  const made = await create({ workflowId: "original" });
  const copy = (await server.call("POST", `/v2/workflows/${made.id}/duplicate`, { name: "Copied", tags: ["other"], description: "New" })).body.data;
  assert.deepEqual([copy.name, copy.workflowId, copy.tags, copy.description, copy.active], ["Copied", "copied", ["other"], "New", false]);
  assert.deepEqual([copy.steps.map((s) => s.name), copy.preferences], [made.steps.map((s) => s.name), made.preferences]);
});
