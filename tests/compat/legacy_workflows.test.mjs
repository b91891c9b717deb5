// Workflows as @novu/node 2.6.6 makes, reads, changes and deletes them.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { watchAxios } from "./answers.mjs";
import { Carillon } from "./carillon.mjs";

const { Novu } = createRequire(import.meta.url)("@novu/node");
let server, novu, group;
const templates = () => novu.notificationTemplates;
before(async () => {
  server = await Carillon.start();
  novu = new Novu(server.dev.secretKey, { backendUrl: server.url });
  watchAxios(novu.http);
  group = (await novu.notificationGroups.create("General")).data.data;
});
after(() => server?.stop());

const create = async (body) => (await templates().create({ notificationGroupId: group._id, active: true, ...body })).data.data;
const v2 = async (id) => (await server.call("GET", `/v2/workflows/${id}`)).body.data;
const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.response?.status, status, error.message);
    assert.match([error.response.data.message, JSON.stringify(error.response.data.errors)].join(" "), message);
    return true;
  });
const inApp = (content, more) => ({ template: { type: "in_app", content, ...more } });
const send = async (name, to, payload) => {
  const { transactionId } = (await novu.trigger(name, { to, payload })).data.data;
  return server.outbox(transactionId).then((all) => all[0]);
};

test("a workflow is made, and has what was given", async () => {
  const made = await create({
    name: "Order Shipped", description: "When it leaves", tags: ["orders"], critical: true, preferenceSettings: { email: false }, data: { team: "a" },
    steps: [inApp("Hi {{subscriber.firstName}}, {{orderId}}", { name: "Bell", cta: { type: "redirect", data: { url: "https://x.example/{{orderId}}" } } }),
      { name: "Mail", template: { type: "email", subject: "{{orderId}}", preheader: "soon", senderName: "Shop", contentType: "editor",
        content: [{ type: "text", content: "Dear {{#if name}}{{name}}{{else}}you{{/if}}", styles: { textAlign: "center" } },
          { type: "button", content: "Track", url: "https://x.example/?a=\"{{orderId}}" }] } }],
  });
  assert.deepEqual([made.name, made.active, made.draft, made.critical, made.tags, made.data, made._notificationGroupId, made.notificationGroup.name],
    ["Order Shipped", true, false, true, ["orders"], { team: "a" }, group._id, "General"]);
  assert.deepEqual([made.preferenceSettings.email, made.preferenceSettings.sms], [false, true]);
  assert.equal(made.triggers[0].identifier, "order-shipped");
  assert.deepEqual(made.triggers[0].variables.map((v) => v.name).sort(), ["name", "orderId"]);
  assert.deepEqual(made.triggers[0].subscriberVariables.map((v) => v.name), ["firstName"]);
  const [bell, mail] = made.steps;
  assert.deepEqual([bell.name, bell.template.content, bell.template.cta.data.url, bell._parentId, mail._parentId],
    ["Bell", "Hi {{subscriber.firstName}}, {{orderId}}", "https://x.example/{{orderId}}", null, bell._id]);
  assert.deepEqual([mail.template.content[1].content, mail.template.senderName], ["Track", "Shop"]);
  assert.deepEqual((await templates().getOne(made._id)).data.data, made);
  assert.deepEqual((await templates().getOne("order-shipped")).data.data._id, made._id);
  const ours = await v2(made._id);
  assert.deepEqual(ours.steps[0].controlValues, {
    body: "Hi {{ subscriber.firstName }}, {{ payload.orderId }}", redirect: { url: "https://x.example/{{ payload.orderId }}", target: "_self" } });
  assert.deepEqual([ours.steps[1].controlValues.subject, ours.steps[1].controlValues.from, ours.steps[1].controlValues.editorType],
    ["{{ payload.orderId }}", { name: "Shop" }, "html"]);
  assert.deepEqual([ours.status, ours.preferences.default.all.readOnly, ours.preferences.default.channels.email.enabled], ["ACTIVE", true, false]);
  const mailSent = (await create({ name: "Mail only", steps: [{ template: mail.template }] })).triggers[0].identifier;
  const sent = await send(mailSent, { subscriberId: "ann", email: "ann@example.com" }, { orderId: "7", name: "Ann" });
  assert.equal(sent.subject, "7");
  assert.match(JSON.stringify(sent), /Dear Ann.*a=&quot;7/);
  assert.match(JSON.stringify(sent), /Shop/);
});

test("the same name again gets an identifier of its own; what is missing is said", async () => {
  const a = await create({ name: "Twice", steps: [] }), b = await create({ name: "Twice", steps: [] });
  assert.equal(a.triggers[0].identifier, "twice");
  assert.match(b.triggers[0].identifier, /^twice-\w{4}$/);
  assert.deepEqual((await templates().getOne(b._id)).data.data, b);
  assert.equal((await novu.http.post("/notification-templates", { name: "Draft", notificationGroupId: group._id, steps: [] })).data.data.draft, true);
  await fails(templates().create({ name: "x", steps: [] }), 422, /Notification group must be provided /);
  await fails(create({ steps: [] }), 422, /name must be a string/);
  await fails(create({ name: "x" }), 422, /steps should not be null or undefined/);
  await fails(create({ name: "x", steps: [{}] }), 422, /steps\.0\.template must be an object/);
  await fails(create({ name: "x", steps: [{ template: { type: "fax", content: "" } }] }), 422, /steps\.0\.template\.type must be one of/);
  await fails(create({ name: "x", steps: [inApp([])] }), 422, /steps\.0\.template\.content must be a string/);
  const filters = [{ value: "AND", children: [{ on: "payload", field: "a", operator: "EQUAL", value: "1" }] }];
  for (const [variants, status, message] of [
    [{}, 422, /steps\.0\.variants must be an array/], [[{ filters }], 422, /steps\.0\.variants\.0\.template must be an object/],
    [[{ filters, template: { type: "sms", content: "x" } }], 422, /steps\.0\.variants\.0\.template\.type must be that of the step/],
    [[{ filters, template: { type: "in_app", content: 7 } }], 422, /steps\.0\.variants\.0\.template\.content must be a string/],
    [[{ filters, active: "no", template: { type: "in_app", content: "x" } }], 422, /steps\.0\.variants\.0\.active must be a boolean value/],
    [[{ filters: [{ children: [{ on: "x" }] }], template: { type: "in_app", content: "x" } }], 422, /steps\.0\.variants\.0\.filters\.0\.children\.0\.on must be/],
    [Array(21).fill({ filters, template: { type: "in_app", content: "x" } }), 422, /steps\.0\.variants must contain no more than 20 elements/],
    [[{ name: "Empty", template: { type: "in_app", content: "x" } }], 400, /Variant filters are required, variant name Empty id undefined/],
    [[{ filters: [{ children: [] }], template: { type: "in_app", content: "x" } }], 400, /Variant filters are required, variant name undefined id undefined/],
  ]) await fails(create({ name: "x", steps: [{ ...inApp("a"), variants }] }), status, message);
  await fails(create({ name: "x", steps: [{ template: { type: "delay" }, metadata: { type: "regular", amount: 1, unit: "days" }, variants: [{ filters, template: { type: "delay" } }] }] }), 422,
    /steps\.0\.variants: only steps that send have variants/);
  await fails(create({ name: "x", steps: [{ ...inApp("a"), filters: [{ value: "AND", children: [{ on: "nothing" }] }] }] }), 422,
    /steps\.0\.filters\.0\.children\.0\.on must be one of/);
  await fails(create({ name: "x", critical: "yes", steps: [] }), 422, /critical must be a boolean value/);
  await fails(create({ name: "x", notificationGroupId: "65f0c2a1b3d4e5f6ffffffff", steps: [] }), 404, /Notification group with id 65f0c2a1b3d4e5f6ffffffff not found/);
});

test("the first variant whose filters pass is sent in the step's place; without one, the step itself", async () => {
  const when = (on, field, value) => [{ isNegated: false, type: "GROUP", value: "AND", children: [{ on, field, operator: "EQUAL", value }] }];
  const mail = (subject) => ({ type: "email", subject, name: subject, content: [{ type: "text", content: `<p>${subject} {{name}}</p>` }] });
  const made = await create({ name: "Variants", steps: [{ name: "Mail", template: mail("Root"), variants: [
    { active: false, filters: when("payload", "n", "1"), template: mail("Switched off") },
    { active: true, name: "Bad", filters: when("tenant", "name", "Titans"), template: mail("Bad") },
    { filters: when("tenant", "name", "The one and only tenant"), template: mail("Better") },
    { filters: when("payload", "n", "1"), template: mail("Later") },
  ] }] });
  const [{ variants, _id }] = made.steps;
  assert.deepEqual(variants.map((v) => [v.name, v.active, v.template.subject, v.filters[0].children[0].field, v._parentId]), [
    ["Switched off", false, "Switched off", "n", null], ["Bad", true, "Bad", "name", variants[0]._id], ["Better", true, "Better", "name", variants[1]._id],
    ["Later", true, "Later", "n", variants[2]._id]]);
  assert.equal(new Set([_id, ...variants.map((v) => v._id)]).size, 5);
  assert.deepEqual((await templates().getOne(made._id)).data.data, made);
  const listed = (await server.call("GET", "/v1/workflows?limit=100")).body.data.find((w) => w._id === made._id);
  assert.equal(listed.steps[0].variants, undefined);
  await server.call("POST", "/v1/tenants", { identifier: "one_123", name: "The one and only tenant" });
  const to = { subscriberId: "var", email: "var@example.com" };
  const sent = async (payload, more = {}) => {
    const { transactionId } = (await novu.trigger("variants", { to, payload, ...more })).data.data;
    const [{ subject, html }] = await server.outbox(transactionId);
    const [run] = (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data;
    assert.match(html, new RegExp(`${subject} Ann`));
    const chosen = run.jobs[1].executionDetails.find((e) => e.detail === "Variant was chosen by the provided condition criteria");
    return [subject, chosen && JSON.parse(chosen.raw).conditions.map((x) => [x.field, x.passed])];
  };
  assert.deepEqual(await sent({ name: "Ann" }), ["Root", undefined]);
  assert.deepEqual(await sent({ name: "Ann", n: 1 }), ["Later", [["n", true]]]);
  assert.deepEqual(await sent({ name: "Ann", n: 1 }, { tenant: { identifier: "one_123" } }), ["Better", [["name", true]]]);
  const shown = (await server.call("POST", "/v1/events/explain", { name: "variants", to, payload: { name: "Ann", n: 1 } })).body.data;
  assert.match(JSON.stringify(shown.timelines[0].steps[0]), /Later Ann/);
  // A change of one keeps the ids of those that are named; /v2 keeps them all.
  const kept = await templates().update(made._id, { name: "Variants", steps: [{ ...made.steps[0], template: mail("Changed"), variants: [{ ...variants[3], template: mail("Now") }] }] });
  assert.deepEqual(await sent({ name: "Ann" }), ["Changed", undefined], "all that changed of a step has changed");
  assert.deepEqual(kept.data.data.steps[0].variants.map((v) => [v._id, v.template.subject]), [[variants[3]._id, "Now"]]);
  const ours = await v2(made._id);
  await server.call("PUT", `/v2/workflows/${made._id}`, { name: "Variants 2", origin: ours.origin, preferences: ours.preferences, steps: ours.steps.map(({ _id, name, type, controlValues }) => ({ _id, name, type, controlValues })) });
  assert.deepEqual(await sent({ name: "Ann", n: 1 }), ["Now", [["n", true]]]);
});

test("filters decide, digests and delays wait as they were told", async () => {
  const filters = [{ isNegated: false, type: "GROUP", value: "AND", children: [{ on: "payload", field: "vip", operator: "EQUAL", value: "true" }] }];
  const made = await create({ name: "Filtered", steps: [{ template: { type: "sms", content: "VIP {{name}}" }, filters }, { template: { type: "sms", content: "all {{name}}" } }] });
  assert.deepEqual(made.steps[0].filters, filters);
  const to = { subscriberId: "bob", phone: "+4912345" };
  assert.match(JSON.stringify(await send("filtered", to, { name: "Bob", vip: false })), /all Bob/);
  const waits = await create({ name: "Waits", steps: [
    { template: { type: "digest" }, metadata: { type: "regular", amount: 5, unit: "minutes", digestKey: "postId" } },
    { template: { type: "digest" }, metadata: { type: "backoff", amount: "5", unit: "minutes", backoff: true, backoffAmount: 10, backoffUnit: "hours" } },
    { template: { type: "digest" }, metadata: { type: "timed", amount: 1, unit: "weeks", timed: { atTime: "09:30", weekDays: ["monday", "friday"] } } },
    { template: { type: "digest" }, metadata: { type: "timed", amount: 1, unit: "months", timed: { atTime: "08:00", monthDays: [1, 15], monthlyType: "each" } } },
    { template: { type: "digest" }, metadata: { type: "timed", amount: 15, unit: "minutes" } },
    { template: { type: "delay" }, metadata: { type: "regular", amount: 2, unit: "days" } },
    { template: { type: "delay" }, metadata: { type: "scheduled", delayPath: "sendAt" } },
    inApp("{{step.total_count}}: {{#each step.events}}{{name}}{{/each}}"),
  ] });
  assert.deepEqual((await v2(waits._id)).steps.slice(0, 7).map((s) => s.controls.values), [
    { type: "regular", amount: 5, unit: "minutes", digestKey: "payload.postId" },
    { type: "regular", amount: 5, unit: "minutes", lookBackWindow: { amount: 10, unit: "hours" } },
    { type: "timed", cron: "30 9 * * 1,5" }, { type: "timed", cron: "0 8 1,15 * *" }, { type: "timed", cron: "*/15 * * * *" },
    { type: "regular", amount: 2, unit: "days" },
    { dynamicKey: "payload.sendAt" },       // its type is not one that the newer client's closed list has
  ]);
  assert.deepEqual(waits.steps[6].metadata, { type: "scheduled", delayPath: "sendAt" });
  const step = (metadata, type = "digest") => create({ name: "x", steps: [{ template: { type }, metadata }] });
  await fails(step({ type: "regular", amount: 0, unit: "minutes" }), 422, /steps\.0\.metadata\.amount must be a positive integer/);
  await fails(step({ type: "regular", amount: 1, unit: "eons" }), 422, /metadata\.unit must be one of/);
  await fails(step({ type: "timed", amount: 3, unit: "days" }), 422, /metadata\.amount must be 1/);
  await fails(step({ type: "timed", amount: 1, unit: "days", timed: { atTime: "25:00" } }), 422, /atTime/);
  await fails(step(undefined), 422, /metadata must be an object/);
  await fails(step({ type: "scheduled" }, "delay"), 422, /metadata\.delayPath must be a string/);
});

test("an update changes what it gives and keeps the rest", async () => {
  const made = await create({ name: "Changing", steps: [inApp("a {{x}}"), { template: { type: "push", title: "T", content: "b" } }], data: { a: 1 } });
  const id = made._id;
  const renamed = (await templates().update(id, { name: "Changed", critical: true })).data.data;
  assert.deepEqual([renamed.name, renamed.critical, renamed.active, renamed.data, renamed.triggers[0].identifier], ["Changed", true, true, { a: 1 }, "changing"]);
  assert.deepEqual(renamed.steps.map((s) => [s._id, s.template.content]), made.steps.map((s) => [s._id, s.template.content]));
  // A condition that only /v2 knows survives a change of the text through the older door, and the texts given back stay the same.
  const ours = await v2(id);
  const skip = { "==": [{ var: "payload.x" }, "1"] };
  const put = await server.call("PUT", `/v2/workflows/${id}`, { name: ours.name, workflowId: ours.workflowId, active: true, preferences: ours.preferences,
    steps: ours.steps.map((s, i) => ({ _id: s._id, stepId: s.stepId, name: s.name, type: s.type, controlValues: { ...s.controlValues, ...(i ? {} : { skip }) } })) });
  assert.equal(put.status, 200, put.text);
  const { steps } = (await templates().getOne(id)).data.data;
  assert.equal(steps[0].template.content, "a {{x}}");
  const changed = (await templates().update(id, { steps: [{ ...steps[0], template: { ...steps[0].template, content: "c {{y}}" } }] })).data.data;
  assert.deepEqual([changed.steps.length, changed.steps[0]._id, changed.steps[0].template.content], [1, steps[0]._id, "c {{y}}"]);
  assert.deepEqual((await v2(id)).steps[0].controlValues, { body: "c {{ payload.y }}", skip });
  // What /v2 writes is what the older door shows.
  await server.call("PUT", `/v2/workflows/${id}`, { name: "New", workflowId: ours.workflowId, preferences: ours.preferences,
    steps: [{ name: "s", type: "in_app", controlValues: { subject: "S", body: "B", primaryAction: { label: "Go", redirect: { url: "https://x.example" } } } },
      { name: "t", type: "throttle", controlValues: { type: "fixed", amount: 1, unit: "hours", threshold: 1 } }] });
  const shown = (await templates().getOne(id)).data.data;
  assert.deepEqual([shown.steps[0].template.subject, shown.steps[0].template.content, shown.steps[0].template.cta.action.buttons],
    ["S", "B", [{ type: "primary", content: "Go", url: "https://x.example" }]]);
  // … and sending it back changes nothing, not even a step that older clients do not know.
  const before = (await v2(id)).steps.map((s) => s.controlValues);
  await templates().update(id, { steps: shown.steps });
  assert.deepEqual((await v2(id)).steps.map((s) => s.controlValues), before);
  await fails(templates().update(id, {}), 400, /No properties found for update/);
  await fails(templates().update(id, { identifier: "other" }), 400, /identifier cannot be changed/);
  await fails(templates().update("nope", { name: "x" }), 404, /^Notification template with id nope not found/);
  await fails(templates().update(id, { notificationGroupId: "65f0c2a1b3d4e5f6ffffffff" }), 404, /Notification group/);
});

test("status, list, deletion", async () => {
  const made = await create({ name: "On and off", steps: [inApp("a")] });
  const off = (await templates().updateStatus(made._id, false)).data.data;
  assert.deepEqual([off.active, off.draft], [false, true]);
  await fails(templates().updateStatus(made._id, false), 400, /^You must provide a different status from the current status/);
  await fails(templates().updateStatus("nope", true), 404, /^Template with id nope not found/);
  await fails(templates().updateStatus(made._id, "yes"), 422, /active must be a boolean value/);
  assert.equal((await novu.trigger("on-and-off", { to: "ann", payload: {} })).data.data.status, "trigger_not_active");
  const page = (await templates().getAll(0, 2)).data;
  assert.deepEqual([page.page, page.pageSize, page.data.length], [0, 2, 2]);
  const rest = (await templates().getAll(1, 2)).data.data;
  assert.equal(new Set([...page.data, ...rest].map((t) => t._id)).size, 4);
  assert.equal((await server.call("GET", "/v1/notification-templates?query=on-and")).body.totalCount, 1);
  assert.equal((await server.call("GET", "/v1/notification-templates?limit=101")).status, 422);
  assert.equal((await templates().delete(made._id)).data.data, true);
  await fails(templates().delete(made._id), 400, /^Could not find workflow with id /);
  await fails(templates().getOne(made._id), 404, /^Template with id [0-9a-f]{24} not found/);
});
