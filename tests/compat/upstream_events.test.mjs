// What the original's end-to-end tests of triggers say, as tables: apps/api/src/app/events/e2e (trigger-event, throttle-events,
// cancel-event, send-message-push, digest-events, delay-events, trigger-event-topic, process-subscriber).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, group;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual", "--workflows-max", "1000"] });
  novu = api(server);
  group = (await server.call("POST", "/v1/notification-groups", { name: "General" })).body.data._id;
});
after(() => server?.stop());

const pass = (advance) => server.call("POST", "/v1/testing/clock", { advance });
let made = 0;
const older = async (...steps) => {
  const { status, body } = await server.call("POST", "/v1/notification-templates", { name: `older ${++made}`, notificationGroupId: group, active: true, steps });
  assert.equal(status, 201, JSON.stringify(body));
  return body.data.triggers[0].identifier;
};
const workflow = async (...steps) => (await novu.workflows.create({ name: `new ${++made}`, workflowId: `new-${made}`, active: true,
  steps: steps.map((s, i) => ({ name: `step ${i}`, ...s })) })).result.workflowId;
const trigger = async (name, to, payload = {}, more = {}) => {
  const { body, status } = await server.call("POST", "/v1/events/trigger", { name, to, payload, ...more });
  assert.equal(status, 201, JSON.stringify(body));
  await pass("PT0S");
  return body.data.transactionId;
};
const runs = async (transactionId) => (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data;
const messages = async (transactionId) => (await server.call("GET", `/v1/messages?transactionId=${transactionId}`)).body.data.reverse();
const statuses = async (transactionId) => (await runs(transactionId))[0].jobs.slice(1).map((j) => j.status);
const bell = (content, more) => ({ template: { type: "in_app", content }, ...more });
const mail = (more) => ({ template: { type: "email", subject: "Subject", content: [{ type: "text", content: "Text {{x}}" }] }, ...more });
const when = (...children) => [{ isNegated: false, type: "GROUP", value: "AND", children }];

test("the trigger says where an e-mail goes, and nobody's record changes but by what `to` says", async () => {
  const name = await older(mail());
  await novu.subscribers.create({ subscriberId: "owner", email: "own@example.com" });
  for (const [to, overrides, email, stored] of [
    ["owner", { email: { toRecipient: "new@example.com" } }, "new@example.com", "own@example.com"],
    [{ subscriberId: "owner", email: "gg@example.com" }, { email: { toRecipient: "new@example.com" } }, "new@example.com", "gg@example.com"],
    ["owner", {}, "gg@example.com", "gg@example.com"], [{ subscriberId: "addressless" }, { email: { toRecipient: "only@example.com" } }, "only@example.com", undefined],
  ]) {
    const id = await trigger(name, to, { email: "elsewhere@example.com" }, { overrides });
    const [message] = await messages(id);
    assert.equal(message.email, email, JSON.stringify(overrides));
    const [{ to: sentTo }] = await server.outbox(id);
    assert.deepEqual([sentTo].flat(), [email]);
    assert.equal((await server.call("GET", `/v2/subscribers/${to.subscriberId ?? to}`)).body.data.email ?? undefined, stored);
  }
});

test("an e-mail that nobody opened is unread to the steps behind it", async () => {
  const uuid = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
  const behind = (stepType) => bell(stepType, { filters: when({ on: "previousStep", step: uuid, stepType }) });
  const name = await older(mail({ uuid }), { template: { type: "delay" }, metadata: { type: "regular", amount: 1, unit: "hours" } },
    ...["read", "seen", "unread", "unseen"].map(behind));
  const id = await trigger(name, { subscriberId: "reader", email: "reader@example.com" });
  await pass("PT1H");
  assert.deepEqual((await statuses(id)).slice(2), ["canceled", "canceled", "completed", "completed"]);
});

test("variables of a template that are required must be there, and those with a default are filled", async () => {
  const variables = [{ name: "myUser.lastName", required: true, type: "String" }, { name: "myUser.array", required: true, type: "Array" },
    { name: "myUser.bool", required: true, type: "Boolean" }];
  const name = await older({ template: { type: "sms", content: "Hello {{myUser.lastName}}", variables } });
  const all = "payload is missing required key(s) and type(s): myUser.lastName (Value), myUser.array (Array), myUser.bool (Boolean)";
  for (const [payload, status] of [[{}, 400], [{ myUser: { lastName: true, array: "John", bool: 0 } }, 400], [{ myUser: { lastName: "", array: [], bool: true } }, 201]]) {
    const reply = await server.call("POST", "/v1/events/trigger", { name, to: { subscriberId: "var", phone: "+1" }, payload });
    assert.equal(reply.status, status, JSON.stringify(reply.body));
    if (status === 400) assert.equal(reply.body.message, all);
  }
  const filled = await older({ template: { type: "sms", content: "Hello {{myUser.lastName}}, welcome to {{organizationName}}", variables: [
    { name: "myUser.lastName", required: false, type: "String", defaultValue: "John Doe" }, { name: "organizationName", required: false, type: "String", defaultValue: "Novu Corp" }] } });
  const id = await trigger(filled, { subscriberId: "var", phone: "+1" }, { organizationName: "Umbrella Corp" });
  assert.equal((await messages(id))[0].content, "Hello John Doe, welcome to Umbrella Corp");
});

test("a delay until a date of the payload needs that date", async () => {
  const name = await older({ template: { type: "delay" }, metadata: { type: "scheduled", delayPath: "sendAt" } }, { template: { type: "sms", content: "Hello" } });
  for (const payload of [{}, { sendAt: "20-09-2025" }, { sendAt: 5 }]) {
    const { status, body } = await server.call("POST", "/v1/events/trigger", { name, to: { subscriberId: "var", phone: "+1" }, payload });
    assert.deepEqual([status, body.message], [400, "payload is missing required key(s) and type(s): sendAt (ISO Date)"]);
    const bulk = await server.call("POST", "/v1/events/trigger/bulk", { events: [{ name, to: "var", payload }] });
    assert.deepEqual([bulk.status, bulk.body.data[0].status, bulk.body.data[0].error], [201, "error", ["payload is missing required key(s) and type(s): sendAt (ISO Date)"]]);
  }
});

test("an in-app step's actor is on the message", async () => {
  await novu.subscribers.create({ subscriberId: "actor", avatar: "https://x.example/a.png" });
  for (const [actor, more] of [[{ type: "system_icon", data: "warning" }, {}], [{ type: "system_custom", data: "https://x.example/c.png" }, {}],
    [{ type: "user", data: null }, { actor: "actor" }]]) {
    const id = await trigger(await older({ template: { type: "in_app", content: "Hello", actor } }), "bob", {}, more);
    const [message] = (await server.call("GET", `/v1/subscribers/bob/notifications/feed`)).body.data;
    assert.equal(message.transactionId, id);
    assert.deepEqual(message.actor, actor);
  }
});

test("a filter of a delay or a digest leaves it out, wherever it stands", async () => {
  const exclude = when({ on: "payload", operator: "IS_DEFINED", field: "exclude", value: "" });
  const wait = { delay: { type: "regular", amount: 2, unit: "seconds" }, digest: { type: "regular", amount: 2, unit: "seconds" } };
  for (const type of ["delay", "digest"])
    for (const [first, payload, want] of [[true, {}, ["skipped", "completed"]], [false, {}, ["completed", "skipped", "completed"]], [false, { exclude: false }, ["completed", "delayed", "pending"]]]) {
      const waits = { template: { type }, metadata: wait[type], filters: exclude };
      const id = await trigger(await older(...(first ? [] : [mail()]), waits, mail()), { subscriberId: "f", email: "f@example.com" }, payload);
      assert.deepEqual(await statuses(id), want, `${type} ${JSON.stringify(payload)}`);
      const said = (await runs(id))[0].jobs.flatMap((j) => j.executionDetails).filter((d) => d.detail === "Step was skipped based on steps conditions");
      assert.equal(said.length, want.includes("skipped") ? 1 : 0);
      await pass("PT3S");
    }
});

test("a throttle lets its number through: by window, by key, by a time or a duration of the payload", async () => {
  const fixed = { type: "fixed", amount: 1, unit: "minutes" };
  for (const [values, payloads, through] of [
    [{ ...fixed, threshold: 3 }, [{}, {}], [0, 1]], [{ ...fixed, threshold: 2 }, [{}, {}, {}], [0, 1]], [{ ...fixed, threshold: 1 }, Array(20).fill({}), [0]],
    [{ ...fixed, threshold: 1, throttleKey: "userId" }, [{ userId: "a" }, { userId: "b" }, { userId: "a" }], [0, 1]],
    [{ ...fixed, threshold: 1, throttleKey: "payload.userId" }, [{ userId: "a" }, { userId: "b" }, { userId: "a" }], [0, 1]],
    [{ type: "dynamic", dynamicKey: "payload.until", threshold: 1 }, "until", [0]],
    [{ type: "dynamic", dynamicKey: "payload.window", threshold: 1 }, [{ window: { amount: 1, unit: "minutes" } }, { window: { amount: 1, unit: "minutes" } }], [0]],
    [{ ...fixed, unit: "hours", threshold: 1 }, [{}, {}], [0]], [{ ...fixed, unit: "days", threshold: 1 }, [{}, {}], [0]],
  ]) {
    const name = await workflow({ type: "throttle", controlValues: values }, { type: "in_app", controlValues: { body: "x {{payload.userId}}" } });
    if (payloads === "until") {
      const { body } = await server.call("GET", "/v1/testing/clock");
      const until = new Date(new Date(body.data?.now ?? body.now).getTime() + 120000).toISOString();
      const ids = [];
      for (let i = 0; i < 2; i++) ids.push(await trigger(name, "thr", { until }));
      assert.deepEqual(await Promise.all(ids.map(async (id) => (await statuses(id))[0])), ["completed", "skipped"]);
      continue;
    }
    const ids = [];
    for (const p of payloads) ids.push(await trigger(name, "thr", p));
    const got = await Promise.all(ids.map(async (id) => (await statuses(id))[0]));
    assert.deepEqual(got, ids.map((_, i) => (through.includes(i) ? "completed" : "skipped")), JSON.stringify(values));
    assert.equal((await Promise.all(ids.map(messages))).flat().length, through.length);
  }
});

test("of twenty at the same time a throttle of one lets one through", async () => {
  const name = await workflow({ type: "throttle", controlValues: { type: "fixed", amount: 1, unit: "minutes", threshold: 1 } }, { type: "in_app", controlValues: { body: "x" } });
  const ids = await Promise.all(Array.from({ length: 20 }, () => trigger(name, "crowd")));
  const got = (await Promise.all(ids.map(statuses))).map((s) => s.join(" ")).sort();
  assert.deepEqual(got, ["completed completed", ...Array(19).fill("skipped skipped")]);
});

test("of a digest any event is canceled alone: the first hands over, and what is left is told", async () => {
  const digest = { template: { type: "digest" }, metadata: { type: "regular", amount: 10, unit: "seconds", digestKey: "id" } };
  for (const [cancel, sent] of [[[], "1 2 3"], [[1], "1 3"], [[0], "2 3"], [[0, 1], "3"], [[0, 1, 2], undefined], [[2], "1 2"]]) {
    const name = await older(digest, bell("{{#each step.events}}{{n}} {{/each}}"));
    const ids = [];
    for (const n of [1, 2, 3]) {
      ids.push(await trigger(name, "dig", { n, id: "same" }));
      await pass("PT1S");
    }
    for (const i of cancel) assert.equal((await server.call("DELETE", `/v1/events/trigger/${ids[i]}`)).body.data, true);
    await pass("PT10S");
    const all = (await Promise.all(ids.map(messages))).flat();
    assert.deepEqual(all.map((m) => m.content.trim()), sent === undefined ? [] : [sent], JSON.stringify(cancel));
    const of = await Promise.all(ids.map(statuses));
    const lead = [0, 1, 2].find((i) => !cancel.includes(i));
    of.forEach((s, i) => assert.deepEqual(s, Array(2).fill(cancel.includes(i) ? "canceled" : i === lead ? "completed" : "merged"), `${JSON.stringify(cancel)} ${i}`));
  }
});

test("what a throttle's key names: a path of the payload, or what a template says; nothing is one group", async () => {
  for (const [throttleKey, payloads, want] of [
    ["{{payload.group}}", [{ group: "tenantId", tenantId: "acme" }, { group: "tenantId", tenantId: "other" }, { group: "x", tenantId: "acme" }], [true, false, true]],
    ["{{payload.userId}}", [{}, {}, { userId: "u" }], [true, false, true]],
    ["userId", [{}, {}, { userId: "u" }], [true, false, true]],
  ]) {
    const name = await workflow({ type: "throttle", controlValues: { type: "fixed", amount: 1, unit: "minutes", threshold: 1, throttleKey } }, { type: "in_app", controlValues: { body: "x" } });
    const got = [];
    for (const p of payloads) got.push((await statuses(await trigger(name, "grouped", p)))[0] === "completed");
    assert.deepEqual(got, want, throttleKey);
  }
});

test("digests gather by key, nested keys, too; templates know whether there was one", async () => {
  const digest = (metadata) => ({ template: { type: "digest" }, metadata: { type: "regular", amount: 10, unit: "seconds", ...metadata } });
  const sms = (content) => ({ template: { type: "sms", content } });
  const to = { subscriberId: "gather", phone: "+1" };
  const says = "{{#if step.digest}}HAS{{else}}NO{{/if}} {{step.events.length}}";
  assert.equal((await messages(await trigger(await older(sms(says)), to, {})))[0].content, "NO ");
  for (const [metadata, payloads, want] of [
    [{}, [{ n: 1 }, { n: 2 }], ["HAS 2"]], [{ digestKey: "id" }, [{ id: "a" }, { id: "a" }, { id: "b" }], ["HAS 1", "HAS 2"]],
    [{ digestKey: "id" }, [{ id: "a" }, {}, { id: "a" }, {}], ["HAS 2", "HAS 2"]], [{ digestKey: "nested.key" }, [{ nested: { key: 1 } }, { nested: { key: 2 } }, { nested: { key: 1 } }], ["HAS 1", "HAS 2"]],
    [{ type: "backoff", backoff: true, backoffAmount: 5, backoffUnit: "minutes", digestKey: "id" }, [{ id: "a" }, { id: "b" }, { id: "a" }, { id: "a" }, { id: "b" }], ["HAS 1", "HAS 2", "NO 0", "NO 0"]],
  ]) {
    const name = await older(digest(metadata), sms(says)), ids = [];
    for (const p of payloads) {
      ids.push(await trigger(name, to, p));
      await pass("PT0.5S");
    }
    await pass("PT12S");
    assert.deepEqual((await Promise.all(ids.map(messages))).flat().map((m) => m.content.trim()).sort(), want, JSON.stringify(metadata));
  }
});

test("preferences: what the subscriber says of the workflow's channel counts, over a workflow that is off", async () => {
  const off = { user: { all: { enabled: false, readOnly: false }, channels: Object.fromEntries(["in_app", "email", "sms", "push", "chat"].map((c) => [c, { enabled: false }])) } };
  for (const [preferences, own, sent, detail] of [
    [undefined, undefined, true], [undefined, { inApp: false }, false, "Step filtered by subscriber workflow preferences"], [off, { inApp: true }, true],
    [off, undefined, false, "Step filtered by user preferences"],
  ]) {
    const workflowId = `preferred-${++made}`, subscriberId = `chooser-${made}`;
    await novu.workflows.create({ name: workflowId, workflowId, active: true, preferences, steps: [{ name: "b", type: "in_app", controlValues: { body: "Test content" } }] });
    await novu.subscribers.create({ subscriberId });
    if (own) await novu.subscribers.preferences.update({ workflowId, channels: own }, subscriberId);
    const id = await trigger(workflowId, subscriberId);
    assert.equal((await messages(id)).length, sent ? 1 : 0);
    const filtered = (await runs(id))[0].jobs.flatMap((j) => j.executionDetails.map((d) => d.detail)).filter((d) => d.startsWith("Step filtered"));
    assert.deepEqual(filtered, detail ? [detail] : []);
  }
});

test("contexts are made once and stay; runs and messages have their keys; bad ones are refused", async () => {
  const name = await workflow({ type: "in_app", controlValues: { body: "x" } }, { type: "email", controlValues: { subject: "s", body: "b" } });
  const to = { subscriberId: "ctx", email: "c@example.com" };
  for (const tenant of [{ id: "org-acme", data: { plan: "basic" } }, "org-acme", { id: "org-acme", data: { plan: "enterprise" } }]) {
    await trigger(name, to, {}, { context: { tenant } });
    assert.deepEqual((await server.call("GET", "/v2/contexts/tenant/org-acme")).body.data.data, { plan: "basic" });
  }
  const id = await trigger(name, to, {}, { context: { tenant: { id: "org-acme" }, app: "jira", region: { id: "us-east-1" } } });
  const keys = ["app:jira", "region:us-east-1", "tenant:org-acme"];
  assert.deepEqual((await runs(id))[0].contextKeys, keys);
  for (const m of await messages(id)) assert.deepEqual(m.contextKeys, keys);
  assert.deepEqual((await runs(await trigger(name, to)))[0].contextKeys ?? [], []);
  for (const context of [{ tenant: { invalid: "value" } }, Object.fromEntries("abcdef".split("").map((c) => [c, c]))]) {
    const { status, body } = await server.call("POST", "/v1/events/trigger", { name, to: "ctx", payload: {}, context });
    assert.deepEqual([status, body.message], [422, "Validation Error"]);
  }
});

test("a topic leaves out the actor, unless named; nobody gets it twice; an unknown topic stops nothing", async () => {
  const name = await workflow({ type: "in_app", controlValues: { body: "x" } });
  const all = ["t1", "t2", "t3"];
  for (const subscriberId of all) await novu.subscribers.create({ subscriberId });
  for (const key of ["one", "two"]) {
    await server.call("POST", "/v2/topics", { key, name: key });
    await server.call("POST", `/v2/topics/${key}/subscriptions`, { subscriberIds: all });
  }
  const topic = (topicKey, more) => ({ type: "Topic", topicKey, ...more });
  for (const [to, more, want] of [
    [[topic("one")], {}, all], [[topic("one")], { actor: "t1" }, ["t2", "t3"]], [[topic("one"), "t1"], { actor: "t1" }, all], [[topic("one"), topic("two"), "t2"], {}, all],
    [[topic("none"), topic("one")], {}, all], [[topic("none")], {}, []], [[topic("one", { exclude: ["t3"] })], {}, ["t1", "t2"]],
    [[topic("one", { exclude: ["t3"] }), topic("two")], {}, ["t1", "t2"]], [[topic("one", { exclude: ["t3"] }), "t3"], {}, all],
  ]) {
    const id = await trigger(name, to, {}, more);
    const got = (await runs(id)).map((r) => r.subscriber.subscriberId).sort();
    assert.deepEqual(got, want, JSON.stringify([to, more]));
  }
});

test("a timed digest of an older workflow fires when its times say (timed-digest-delay.service.spec.ts)", async () => {
  const zero = Date.parse("2031-05-04T12:00:00Z");        // before the year's tables of the original: any month will do
  const { body } = await server.call("GET", "/v1/testing/clock");
  const now = Date.parse((body.data ?? body).now);
  if (now < zero) await pass(`PT${Math.round((zero - now) / 1000)}S`);
  const at = async () => Date.parse(((await server.call("GET", "/v1/testing/clock")).body.data ?? (await server.call("GET", "/v1/testing/clock")).body).now);
  for (const [unit, amount, timed, days] of [
    ["minutes", 7, undefined, (d) => d.getUTCMinutes() % 7 === 0], ["hours", 10, undefined, (d) => d.getUTCHours() % 10 === 0 && d.getUTCMinutes() === 0],
    ["days", 1, { atTime: "09:30:00" }, (d) => d.getUTCHours() === 9 && d.getUTCMinutes() === 30],
    ["weeks", 1, { atTime: "09:00:00", weekDays: ["wednesday"] }, (d) => d.getUTCDay() === 3],
    ["months", 1, { atTime: "12:00:00", monthDays: [15], monthlyType: "each" }, (d) => d.getUTCDate() === 15],
    ["months", 1, { atTime: "12:00:00", ordinal: "2", ordinalValue: "day", monthlyType: "on" }, (d) => d.getUTCDate() === 2],
    ["months", 1, { atTime: "12:00:00", ordinal: "last", ordinalValue: "day", monthlyType: "on" }, (d) => new Date(d.getTime() + 86400e3).getUTCDate() === 1],
    ["months", 1, { atTime: "12:00:00", ordinal: "1", ordinalValue: "wednesday", monthlyType: "on" }, (d) => d.getUTCDay() === 3 && d.getUTCDate() <= 7],
    ["months", 1, { atTime: "12:00:00", ordinal: "2", ordinalValue: "sunday", monthlyType: "on" }, (d) => d.getUTCDay() === 0 && d.getUTCDate() > 7 && d.getUTCDate() <= 14],
    ["months", 1, { atTime: "12:00:00", ordinal: "last", ordinalValue: "friday", monthlyType: "on" }, (d) => d.getUTCDay() === 5 && new Date(d.getTime() + 7 * 86400e3).getUTCDate() <= 7],
  ]) {
    const name = await older({ template: { type: "digest" }, metadata: { type: "timed", unit, amount, timed } }, bell("x"));
    const id = await trigger(name, "timed");
    const { delay } = JSON.parse((await runs(id))[0].jobs[1].executionDetails.find((d) => d.detail === "Step digested").raw);
    const due = new Date((await at()) + delay);
    assert.ok(days(new Date(Math.round(due.getTime() / 60000) * 60000)), `${unit} ${JSON.stringify(timed)}: ${due.toISOString()}`);
  }
  for (const [timed, message] of [[{ monthlyType: "on", ordinal: "6", ordinalValue: "day" }, /metadata\.timed\.ordinal must be/],
    [{ monthlyType: "on", ordinal: "1", ordinalValue: "weekday" }, /metadata\.timed\.ordinalValue must be/], [{ monthlyType: "none" }, /metadata\.timed\.monthlyType must be/]]) {
    const { status, text } = await server.call("POST", "/v1/notification-templates", { name: "x", notificationGroupId: group, steps: [
      { template: { type: "digest" }, metadata: { type: "timed", unit: "months", amount: 1, timed: { atTime: "12:00", ...timed } } }] });
    assert.equal(status, 422);
    assert.match(text, message);
  }
});

test("a delay's length may be the trigger's; steps that are off are left out; a critical workflow asks nobody", async () => {
  const sms = { template: { type: "sms", content: "x" } };
  const slow = await older({ template: { type: "delay" }, metadata: { type: "regular", amount: 100, unit: "hours" } }, sms);
  const id = await trigger(slow, { subscriberId: "quick", phone: "+1" }, {}, { overrides: { delay: { amount: 2, unit: "seconds" } } });
  assert.deepEqual(await statuses(id), ["delayed", "pending"]);
  await pass("PT2S");
  assert.deepEqual(await statuses(id), ["completed", "completed"]);
  const some = await older(bell("1"), bell("2"), bell("3", { active: false }));
  assert.deepEqual((await messages(await trigger(some, "quick"))).map((m) => m.content).sort(), ["1", "2"]);
  for (const critical of [false, true]) {
    const { body } = await server.call("POST", "/v1/notification-templates", { name: `critical ${++made}`, notificationGroupId: group, active: true, critical, steps: [bell("x"), mail()] });
    const subscriberId = `choosy-${critical}`;
    await novu.subscribers.create({ subscriberId, email: "choosy@example.com" });
    const set = await server.call("PATCH", `/v1/subscribers/${subscriberId}/preferences/${body.data._id}`, { channel: { type: "in_app", enabled: false } });
    const sent = (await messages(await trigger(body.data.triggers[0].identifier, subscriberId))).map((m) => m.channel).sort();
    assert.deepEqual(sent, critical ? ["email", "in_app"] : ["email"], `${critical} ${set.status}`);
  }
});

test("a bulk call answers each event in its place, whatever became of the others", async () => {
  const name = await older(bell("Hello {{n}}"));
  const events = [{ name, to: "bulk", payload: { n: 1 }, transactionId: "1111" }, { name: "non-existing-trigger", to: "bulk", payload: {} },
    { name, to: "bulk", payload: { n: 3 }, transactionId: "3333" }];
  const { status, body } = await server.call("POST", "/v1/events/trigger/bulk", { events });
  assert.equal(status, 201);
  assert.deepEqual(body.data.map((r) => [r.status, r.transactionId, r.error]), [["processed", "1111", undefined], ["error", undefined, ["workflow_not_found"]], ["processed", "3333", undefined]]);
  await pass("PT0S");
  assert.deepEqual([(await messages("1111"))[0].content, (await messages("3333"))[0].content], ["Hello 1", "Hello 3"]);
  const many = await server.call("POST", "/v1/events/trigger/bulk", { events: Array(101).fill(events[0]) });
  assert.match(many.text, /events must contain no more than 100 elements/);
});

const person = async (subscriberId) => (await server.call("GET", `/v2/subscribers/${subscriberId}`)).body.data;

test("a trigger's recipient: what is null is taken away, what is empty is empty, what is missing stays", async () => {
  const name = await older(bell("Hello {{subscriber.lastName}}, Welcome to {{organizationName}}"));
  const full = { firstName: "Test Name", lastName: "Last of name", email: "test@example.com", phone: "+1234567890", avatar: "https://x.example/a.jpg",
    timezone: "America/New_York", locale: "en_US", data: { custom1: "one", custom2: "two" } };
  const none = Object.fromEntries(Object.keys(full).map((k) => [k, null]));
  const empty = { ...full, firstName: "", lastName: "", phone: "", avatar: "", email: "test2@example.com" };
  for (const [change, want] of [[none, none], [empty, empty], [{}, full], [{ lastName: "New" }, { ...full, lastName: "New" }]]) {
    const subscriberId = `kept-${++made}`;
    for (const to of [{ subscriberId, ...full }, { subscriberId, ...change }]) await trigger(name, to);
    const now = await person(subscriberId);
    for (const k of Object.keys(full)) assert.deepEqual(now[k] ?? null, k === "data" ? want[k] ?? {} : want[k], `${k} ${JSON.stringify(change)}`);
  }
  const id = await trigger(name, [{ subscriberId: "no-type", lastName: "A" }, { type: "Subscriber", subscriberId: "with-type", lastName: "B" }], { organizationName: "Umbrella Corp" });
  assert.deepEqual((await messages(id)).map((m) => m.content).sort(), ["Hello A, Welcome to Umbrella Corp", "Hello B, Welcome to Umbrella Corp"]);
});

// The last counts, as engine.md says: the tests of map-trigger-recipients are of a version that kept the first.
test("of recipients that are named twice the last counts, single ones before topics", async () => {
  const name = await older(bell("{{subscriber.firstName}}"));
  for (const subscriberId of ["m1", "m2", "m3"]) await novu.subscribers.create({ subscriberId, firstName: `was ${subscriberId}` });
  for (const [key, subscriberIds] of [["mapped-1", ["m1", "m2"]], ["mapped-2", ["m3"]]]) {
    await server.call("POST", "/v2/topics", { key, name: key });
    await server.call("POST", `/v2/topics/${key}/subscriptions`, { subscriberIds });
  }
  const topic = (topicKey) => ({ type: "Topic", topicKey });
  const named = (subscriberId) => ({ subscriberId, firstName: `now ${subscriberId}` });
  for (const [to, want] of [
    [["m1", "m2", named("m1"), named("m2"), "m2", "m1"], ["was m1", "was m2"]],
    [[topic("mapped-2"), topic("mapped-1"), topic("mapped-2")], ["was m1", "was m2", "was m3"]],
    [[topic("mapped-2"), named("m1"), "m1", "m2", topic("mapped-1"), named("m2"), "m3"], ["now m2", "was m1", "was m3"]],
    [["m1", named("m1")], ["now m1"]], [[named("m3"), topic("mapped-1"), topic("mapped-2")], ["now m1", "now m2", "now m3"]],
  ]) assert.deepEqual((await messages(await trigger(name, to))).map((m) => m.content).sort(), want, JSON.stringify(to));
});

test("a digest collects what its filter lets in, and nothing that passed it by", async () => {
  const digest = (filters) => ({ template: { type: "digest" }, metadata: { type: "regular", amount: 2, unit: "seconds" }, filters });
  const sms = { template: { type: "sms", content: "total digested: {{step.total_count}}" } };
  const defined = when({ on: "payload", operator: "IS_DEFINED", field: "exclude", value: "" });
  const to = { subscriberId: "total", phone: "+1" };
  for (const [payloads, want] of [[[{ exclude: false }, { exclude: false }], ["2"]], [[{ exclude: false }, {}], ["0", "1"]]]) {
    const name = await older(digest(defined), sms), ids = [];
    for (const p of payloads) ids.push(await trigger(name, to, p));
    await pass("PT3S");
    assert.deepEqual((await Promise.all(ids.map(messages))).flat().map((m) => m.content.replace("total digested: ", "")).sort(), want);
  }
  const kind = (value) => when({ on: "payload", operator: "EQUAL", field: "digest_type", value });
  const id = await trigger(await older(mail(), digest(kind("1")), digest(kind("2")), digest(kind("3")), mail()), { subscriberId: "total", email: "t@example.com" }, { digest_type: "2" });
  await pass("PT3S");
  assert.deepEqual(await statuses(id), ["completed", "skipped", "completed", "skipped", "completed"]);
});

test("filters compare with what the trigger brings: its payload, its actor, its tenant", async () => {
  await novu.subscribers.create({ subscriberId: "filter-actor", firstName: "Actor" });
  const tenant = (await server.call("POST", "/v1/tenants", { identifier: "one_123", name: "The one", data: { value1: "Best", count: 4 } })).body.data.identifier;
  const part = (on, field, operator, value) => when({ on, field, operator, value });
  for (const [filters, payload, more, passes] of [
    [part("payload", "run", "EQUAL", "{{payload.var}}"), { run: true, var: true }, {}, true], [part("payload", "run", "EQUAL", "{{payload.var}}"), { run: true, var: false }, {}, false],
    [part("payload", "name", "EQUAL", "Test {{actor.firstName}}"), { name: "Test Actor" }, { actor: "filter-actor" }, true],
    [part("payload", "name", "EQUAL", "Test {{actor.firstName}}"), { name: "Test Actor" }, {}, false],
    [part("tenant", "data.count", "LARGER", "{{payload.count}}"), { count: 5 }, { tenant: { identifier: tenant } }, false],
    [part("tenant", "data.count", "LARGER", "{{payload.count}}"), { count: 1 }, { tenant: { identifier: tenant } }, true],
    [part("tenant", "data.count", "LARGER", "{{payload.count}}"), { count: 1 }, { tenant }, true], [part("subscriber", "subscriberId", "NOT_EQUAL", "filtered"), {}, {}, false],
  ]) {
    const id = await trigger(await older(bell("x", { filters })), "filtered", payload, more);
    assert.equal((await messages(id)).length, passes ? 1 : 0, JSON.stringify([filters[0].children, payload, more]));
  }
});

test("a tenant chooses the integration; one that does not exist is told, and nothing runs", async () => {
  const children = ["cond-2", "cond-3"].map((value) => ({ field: "identifier", value, operator: "EQUAL", on: "tenant" }));
  const { body } = await server.call("POST", "/v1/integrations", { providerId: "mailgun", channel: "email", credentials: { apiKey: "123", secretKey: "abc", domain: "d" },
    conditions: [{ value: "OR", children }], active: true, check: false });
  const name = await older(mail()), to = { subscriberId: "conditional", email: "c@example.com" };
  for (const tenant of ["cond-2", "cond-3", "cond-4"]) await server.call("POST", "/v1/tenants", { identifier: tenant, name: tenant });
  for (const [tenant, chosen] of [["cond-2", true], ["cond-3", true], ["cond-4", false]]) {
    const id = await trigger(name, to, {}, { tenant });
    const [job] = (await runs(id))[0].jobs.filter((j) => j.type === "email");
    assert.equal(job.providerId === "mailgun", chosen, `${tenant} ${job.providerId}`);
  }
  const { body: none } = await server.call("POST", "/v1/events/trigger", { name, to, payload: {}, tenant: "nobody" });
  assert.deepEqual([none.data.acknowledged, none.data.status], [true, "no_tenant_found"]);
  assert.deepEqual(await runs(none.data.transactionId), []);
  await server.call("DELETE", `/v1/integrations/${body.data._id}`);
});

test("a tenant's override of a workflow says whether it is on, whatever the workflow says", async () => {
  for (const [override, workflowOn, status] of [[false, true, "trigger_not_active"], [false, false, "trigger_not_active"], [true, true, "processed"], [true, false, "processed"], [undefined, false, "trigger_not_active"]]) {
    const { body: { data: w } } = await server.call("POST", "/v1/notification-templates", { name: `overridden ${++made}`, notificationGroupId: group, active: workflowOn, steps: [bell("x")] });
    const { body: { data: t } } = await server.call("POST", "/v1/tenants", { identifier: `tenant-${made}`, name: "T" });
    if (override !== undefined) await server.call("POST", "/v1/workflow-overrides", { workflowId: w._id, tenantId: t._id, active: override });
    const { body } = await server.call("POST", "/v1/events/trigger", { name: w.triggers[0].identifier, to: "overridden", tenant: t.identifier, payload: {} });
    assert.equal(body.data.status, status, `${override} ${workflowOn}`);
    await pass("PT0S");
    assert.equal((await messages(body.data.transactionId)).length, status === "processed" ? 1 : 0);
  }
  for (const on of [false, true]) {
    const { body: { data: w } } = await server.call("POST", "/v1/notification-templates", { name: `overridden ${++made}`, notificationGroupId: group, active: true, steps: [bell("x")],
      preferenceSettings: { in_app: !on, email: true, sms: true, chat: true, push: true } });
    const { body: { data: t } } = await server.call("POST", "/v1/tenants", { identifier: `tenant-${made}`, name: "T" });
    await server.call("POST", "/v1/workflow-overrides", { workflowId: w._id, tenantId: t._id, active: true, preferenceSettings: { in_app: on } });
    assert.equal((await messages(await trigger(w.triggers[0].identifier, "overridden", {}, { tenant: t.identifier }))).length, on ? 1 : 0);
  }
});

test("attachments are kept apart from what a message remembers; a topic's members have their phone, a digest its key", async () => {
  await server.call("POST", "/v2/topics", { key: "attached", name: "attached" });
  for (const n of [1, 2]) await novu.subscribers.create({ subscriberId: `att-${n}`, phone: `+${n}`, email: `att${n}@example.com` });
  await server.call("POST", "/v2/topics/attached/subscriptions", { subscriberIds: ["att-1", "att-2"] });
  const to = [{ type: "Topic", topicKey: "attached" }];
  const attachments = [{ name: "text1.txt", file: "aGVsbG8gd29ybGQh" }, { name: "text2.txt", file: Buffer.from("hello world!") }];
  const id = await trigger(await older(bell("Test content for <b>{{firstName}}</b>", { template: { type: "in_app", content: "Test content for <b>{{firstName}}</b>", cta: { type: "redirect", data: { url: "/example?x=true" } } } }), mail(),
    { template: { type: "sms", content: "Hello {{firstName}}" } }), to, { firstName: "Testing of User Name", urlVariable: "/test/url/path", attachments });
  const all = await messages(id);
  assert.equal(all.length, 6);
  for (const m of all.filter((x) => x.channel === "in_app")) {
    assert.deepEqual([m.content, m.seen, m.cta.data.url, m.lastSeenDate, m.providerId], ["Test content for <b>Testing of User Name</b>", false, "/example?x=true", undefined, "novu"]);
    assert.deepEqual([m.payload.firstName, m.payload.urlVariable, m.payload.attachments], ["Testing of User Name", "/test/url/path", undefined]);
  }
  assert.deepEqual(all.filter((m) => m.channel === "sms").map((m) => m.phone).sort(), ["+1", "+2"]);
  const name = await older({ template: { type: "digest" }, metadata: { type: "regular", amount: 5, unit: "seconds", digestKey: "id" } }, bell("{{#each step.events}}{{id}} {{/each}}"));
  const ids = [];
  for (const key of ["key-1", "key-1", "key-1", "key-2", "key-2", "key-2"]) ids.push(await trigger(name, to, { id: key }));
  await pass("PT6S");
  const digested = (await Promise.all(ids.map(messages))).flat();
  assert.equal(digested.length, 4);
  for (const m of digested) assert.equal(m.content, `${m.payload.id} `.repeat(3));
});

// In blocks a payload is text (content.md 4.2): the later change upstream that decodes it there would make it HTML.
test("entities of a payload are characters in a subject, stay entities in HTML, and are text in blocks", async () => {
  const doc = JSON.stringify({ type: "doc", content: [{ type: "paragraph", attrs: { textAlign: null, showIfKey: null }, content: [{ type: "variable", attrs: { id: "payload.entities" } }] }] });
  for (const [editorType, body, says] of [["html", "<p>{{payload.entities}}</p>", `Hello &lt; &gt; &amp; " '`], ["block", doc, "Hello &amp;lt; &amp;gt; &amp;amp; &amp;quot; &amp;apos;"]]) {
    const name = await workflow({ type: "email", controlValues: { subject: "{{payload.entities}}", editorType, body } });
    const [message] = await messages(await trigger(name, { subscriberId: "entity", email: "e@example.com" }, { entities: "Hello &lt; &gt; &amp; &quot; &apos;" }));
    assert.equal(message.subject, `Hello < > & " '`, editorType);
    assert.ok(message.content.includes(says), `${editorType} ${message.content}`);
  }
});

test("conditions: met, not met, nested, and what no rule can say", async () => {
  const skip = { and: [{ or: [{ "==": [{ var: "subscriber.firstName" }, "John"] }, { "==": [{ var: "subscriber.data.role" }, "admin"] }] },
    { and: [{ ">=": [{ var: "payload.userScore" }, 100] }, { "==": [{ var: "subscriber.lastName" }, "Doe"] }] }] };
  const name = await workflow({ type: "in_app", controlValues: { body: "Hello {{subscriber.lastName}}", skip } });
  for (const [lastName, userScore, sent] of [["Doe", 150, 1], ["Smith", 150, 0], ["Doe", 50, 0]])
    assert.equal((await messages(await trigger(name, { subscriberId: "ruled", firstName: "John", lastName, data: { role: "admin" } }, { userScore }))).length, sent);
  const bad = await workflow({ type: "in_app", controlValues: { body: "Hello", skip: { invalidOp: [1, 2] } } });
  const id = await trigger(bad, "ruled");
  assert.equal((await messages(id)).length, 0);
  const failed = (await runs(id))[0].jobs[1].executionDetails.find((d) => d.status === "Failed");
  assert.match(failed.raw, /Failed to evaluate rule/);
  assert.match(failed.raw, /Unrecognized operation invalidOp/);
});

test("outside of somebody's hours: mails and what a digest collected are not sent; bells and critical workflows are; each context has its hours", async () => {
  const days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
  const week = (day) => ({ isEnabled: true, weeklySchedule: Object.fromEntries(days.map((d) => [d, day])) });
  const never = week({ isEnabled: false }), always = week({ isEnabled: true, hours: [{ start: "12:00 AM", end: "11:59 PM" }] });
  const email = { type: "email", controlValues: { subject: "Subject", editorType: "html", body: "Body" } };
  const digest = { type: "digest", controlValues: { type: "regular", amount: 5, unit: "seconds" } };
  const critical = { user: { all: { enabled: true, readOnly: true }, channels: {} } };
  const skipped = "The step was skipped as it fell outside the subscriber's schedule";
  for (const [steps, schedules, context, preferences, want] of [
    [[email], [[never]], undefined, undefined, ["canceled"]], [[email], [[always]], undefined, undefined, ["completed"]],
    [[{ type: "in_app", controlValues: { body: "Body" } }], [[never]], undefined, undefined, ["completed"]], [[email], [[never]], undefined, critical, ["completed"]],
    [[digest, email], [[never]], undefined, undefined, ["completed", "canceled"]], [[digest, email], [[always]], undefined, undefined, ["completed", "completed"]],
    [[digest, email], [[{ isEnabled: false }]], undefined, undefined, ["completed", "completed"]],
    [[email], [[never, { tenant: "acme" }], [always, { tenant: "globex" }]], { tenant: "acme" }, undefined, ["canceled"]],
    [[email], [[never, { tenant: "acme" }], [always, { tenant: "globex" }]], { tenant: "globex" }, undefined, ["completed"]],
    [[email], [[never, { tenant: "acme" }], [always]], undefined, undefined, ["completed"]],
  ]) {
    const workflowId = `hours-${++made}`, subscriberId = `hours-${made}`;
    await novu.workflows.create({ name: workflowId, workflowId, active: true, preferences, steps: steps.map((s, i) => ({ name: `step ${i}`, ...s })) });
    await novu.subscribers.create({ subscriberId, email: "h@example.com", timezone: "America/New_York" });
    for (const [schedule, of] of schedules) {
      const set = await server.call("PATCH", `/v2/subscribers/${subscriberId}/preferences`, { schedule, ...(of && { context: of }) });
      assert.equal(set.status, 200, set.text);
    }
    const id = await trigger(workflowId, subscriberId, {}, context && { context });
    await pass("PT6S");
    const label = JSON.stringify([steps.map((s) => s.type), schedules.map(([s, of]) => [s === never, of]), context]);
    assert.deepEqual(await statuses(id), want, label);
    const said = (await runs(id))[0].jobs.flatMap((j) => j.executionDetails).filter((d) => d.detail.startsWith(skipped.slice(0, 40)));
    assert.deepEqual(said.map((d) => d.status), want.includes("canceled") ? ["Success"] : [], label);
  }
});

test("who is made, what is said of the actor, which integration, and what a trigger without steps or workflow is told", async () => {
  const greet = await older({ template: { type: "email", subject: "Test {{nested.subject}}", content: [{ type: "text", content: "Hello {{actor.firstName}}{{subscriber.lastName}}, Welcome to {{organizationName}}" }] } });
  await novu.subscribers.create({ subscriberId: "actor-1", firstName: "Actor" });
  const to = [{ subscriberId: "welcomed", lastName: "Smith", email: "w@example.com" }], payload = { organizationName: "Umbrella Corp", nested: { subject: "a subject nested" } };
  for (const [actor, text] of [["actor-1", "Hello ActorSmith"], [undefined, "Hello Smith"]]) {
    const id = await trigger(greet, to, payload, { tenant: "", actor });
    const [message] = await messages(id);
    assert.equal(message.subject, "Test a subject nested");
    assert.match(JSON.stringify(message.content), new RegExp(`${text}, Welcome to Umbrella Corp`));
  }
  const chosen = async (more) => (await runs(await trigger(greet, to, payload, more)))[0].jobs[1].providerId;
  assert.equal(await chosen(), "novu-email");
  const make = async (identifier) => (await server.call("POST", "/v1/integrations", { providerId: "mailgun", channel: "email", identifier, credentials: { apiKey: "1", secretKey: "a", domain: "d" }, active: true, check: false })).body.data;
  const first = await make("named-one");
  await server.call("POST", `/v1/integrations/${first._id}/set-primary`, {});
  assert.equal(await chosen(), "mailgun");
  await server.call("DELETE", `/v1/integrations/${first._id}`);
  const other = await make("named-two");
  assert.equal(await chosen({ overrides: { email: { integrationIdentifier: "named-two" } } }), "mailgun");
  await server.call("DELETE", `/v1/integrations/${other._id}`);
  for (let i = 0; i < 3; i++) {
    const ids = await Promise.all([trigger(greet, `at-once-${i}`), trigger(greet, `at-once-${i}`)]);
    assert.equal(new Set(await Promise.all(ids.map(async (id) => (await runs(id))[0]._subscriberId))).size, 1);
    assert.equal((await server.call("GET", `/v2/subscribers?subscriberId=at-once-${i}`)).body.data.filter((s) => s.subscriberId === `at-once-${i}`).length, 1);
  }
  const { body: nothing } = await server.call("POST", "/v1/events/trigger", { name: await older(), to: "welcomed", payload: {} });
  assert.deepEqual([nothing.data.acknowledged, nothing.data.status], [true, "no_workflow_steps_defined"]);
  const { status, body } = await server.call("POST", "/v1/events/trigger", { name: "non-existent-template-identifier", to: "welcomed", payload: {} });
  assert.deepEqual([status, body.statusCode, body.message, body.error], [422, 422, "workflow_not_found", "Unprocessable Entity"]);
  const bulk = await server.call("POST", "/v1/events/trigger/bulk", { events: [{ name: greet, to: ["welcomed"], payload: {} }, { name: "", to: ["welcomed"], payload: {} }, { payload: {} }] });
  assert.deepEqual([bulk.status, bulk.body.data?.map((r) => [r.status, r.acknowledged])], [201, [["processed", true], ["error", true], ["error", true]]], bulk.text);
});

test("where a trigger's bridge may not be: names and addresses within, credentials, other schemes; the address is not told", async () => {
  for (const [bridgeUrl, message] of [
    ["http://metadata.google.internal/computeMetadata/v1/", 'bridgeUrl: Requests to "metadata.google.internal" are not allowed.'], ["http://attacker:pass@example.com/api/novu", "bridgeUrl: URLs with embedded credentials are not allowed."],
    ["ftp://example.com/api/novu", 'bridgeUrl: URL scheme "ftp:" is not allowed. Only http and https are permitted.'], ["http://169.254.169.254/computeMetadata/v1/", "bridgeUrl: The request was blocked by the outbound SSRF policy."],
  ]) {
    const { status, body } = await server.call("POST", "/v1/events/trigger", { name: "ssrf", to: "inside", payload: {}, transactionId: "inside", bridgeUrl });
    assert.deepEqual([status, body.message], [400, message]);
  }
  assert.deepEqual(await runs("inside"), []);
});

test("whose word counts: the code's, the dashboard's over it, the subscriber's for all, for one; and nobody's over what is critical (merge-preferences)", async () => {
  const says = (enabled, readOnly) => ({ all: { enabled: true, readOnly }, channels: { in_app: { enabled } } });
  const from = { workflow: "Step filtered by workflow preferences", user: "Step filtered by user preferences", all: "Step filtered by subscriber global preferences", one: "Step filtered by subscriber workflow preferences" };
  for (const readOnly of [false, true])
    for (const mask of Array(16).keys()) {
      // Whoever counts says no, everybody else yes: then the run tells who it was. And the other way round.
      const order = ["workflow", "user", "all", "one"].filter((_, i) => mask & (1 << i));
      if (!order.includes("workflow")) continue;
      const counts = readOnly ? (order.includes("user") ? "user" : "workflow") : order.at(-1);
      for (const no of [true, false]) {
        const workflowId = `merged-${++made}`, subscriberId = `merged-${made}`, word = (who) => (who === counts) !== no;
        const preferences = Object.fromEntries(["workflow", "user"].filter((w) => order.includes(w)).map((w) => [w, says(word(w), readOnly)]));
        const { status, text } = await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, preferences, steps: [{ name: "b", type: "in_app", controlValues: { body: "x" } }] });
        assert.equal(status, 201, text);
        await novu.subscribers.create({ subscriberId });
        if (order.includes("all")) await server.call("PATCH", `/v2/subscribers/${subscriberId}/preferences`, { channels: { in_app: word("all") } });
        if (order.includes("one")) await server.call("PATCH", `/v2/subscribers/${subscriberId}/preferences`, { workflowId, channels: { in_app: word("one") } });
        const id = await trigger(workflowId, subscriberId), label = `${order} ${readOnly} ${no}`;
        const said = (await runs(id))[0].jobs.flatMap((j) => j.executionDetails.map((d) => d.detail)).filter((d) => d.startsWith("Step filtered"));
        assert.deepEqual([(await messages(id)).length, said], no ? [0, [from[counts]]] : [1, []], label);
      }
    }
});

test("variables of a template: defaults beside what is given, none for an empty one, and none of the system's is asked for (verify-payload.spec.ts)", async () => {
  const of = (variables, content) => older({ template: { type: "sms", content, variables } });
  const v = (name, more) => ({ name, type: "String", required: false, ...more });
  const to = { subscriberId: "verified", phone: "+1", firstName: "Ann" };
  for (const [variables, content, payload, want] of [
    [[v("user.firstName", { defaultValue: "John" }), v("user.hej", { defaultValue: "" }), v("user.test")], "{{user.firstName}} {{user.lastName}} {{#if user.hej}}HEJ{{else}}no{{/if}}{{user.test}}", { user: { lastName: "Doe" } }, "John Doe no"],
    [[v("user.firstName", { defaultValue: "John" }), v("user.lastName", { required: true })], "{{user.firstName}} {{user.lastName}}", { user: { lastName: "Doe", firstName: "Jane" } }, "Jane Doe"],
    [[v("subscriber.firstName", { defaultValue: "John" }), v("subscriber.lastName", { required: true })], "{{subscriber.firstName}}|{{subscriber.lastName}}", { user: {} }, "Ann|"],
  ]) {
    const id = await trigger(await of(variables, content), to, payload);
    const [message] = await messages(id);
    assert.equal(message.content, want);
    assert.ok(!("hej" in (message.payload.user ?? {})) && !("subscriber" in message.payload), JSON.stringify(message.payload));
  }
  const strict = await of([v("first", { required: true }), v("second", { required: true, type: "Array" }), v("third", { required: true, type: "Boolean" })], "x");
  const { status, body } = await server.call("POST", "/v1/events/trigger", { name: strict, to, payload: { first: [], second: false, third: "" } });
  assert.deepEqual([status, body.message], [400, "payload is missing required key(s) and type(s): first (Value), second (Array), third (Boolean)"]);
});

test("what a condition saw of environment variables is told to nobody, by whatever way it came (create-step-condition-evaluation-detail.usecase.spec.ts)", async () => {
  const made = await server.call("POST", "/v1/environment-variables", { key: "SEKRET", isSecret: true, type: "string", values: [{ _environmentId: server.dev._id, value: "sk_live_super" }] });
  assert.ok([200, 201].includes(made.status), made.text);
  for (const [skip, seen] of [
    [{ "==": [{ var: "env.SEKRET" }, "sk_live_super" ] }, { "env.SEKRET": "***" }], [{ "!=": [{ var: "env" }, ""] }, { env: "***" }], [{ "!=": [{ var: "" }, ""] }, {}], [{ "!=": [{ var: "payload.k" }, "{{env.SEKRET}}"] }, { "payload.k": null }],
    [{ "!=": [{ var: { cat: ["env", ".SEKRET"] } }, ""] }, { "env.SEKRET": "***" }], [{ "!=": [{ var: ["payload.none", { var: "env.SEKRET" }] }, ""] }, { "env.SEKRET": "***", "payload.none": null }],
    [{ "!=": [{ var: ["payload.none", "{{env.SEKRET}}"] }, ""] }, { "payload.none": null }], [{ some: [{ merge: [{ var: "env" }] }, { "!=": [{ var: "SEKRET" }, ""] }] }, { env: "***" }],
  ]) {
    const name = await workflow({ type: "in_app", controlValues: { body: "x", skip } });
    const id = await trigger(name, "unseeing", { tier: "pro" });
    const matched = (await runs(id))[0].jobs[1].executionDetails.find((d) => d.detail === "Step conditions matched");
    assert.equal(matched.status, "Success");
    const raw = JSON.parse(matched.raw);
    assert.deepEqual([raw.evaluatedValues, raw.conditions], [seen, skip]);
    const { text } = await server.call("POST", "/v1/events/explain", { name, to: "unseeing", payload: {} });
    if (!JSON.stringify(skip).includes("sk_live")) assert.doesNotMatch(text, /sk_live/, JSON.stringify(skip));
  }
});
