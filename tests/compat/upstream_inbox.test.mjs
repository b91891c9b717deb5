// Facts that upstream's own end-to-end tests of the Inbox assert over HTTP, and that no other file here states:
// apps/api/src/app/inbox/e2e in novuhq/novu, newest stored versions, read line by line. Where the contract decides otherwise
// (a workflow is named by id or identifier; demo environments) the contract's files have the test.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, application;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  application = server.dev.applicationIdentifier;
});
after(() => server?.stop());

const NOWHERE = "666c0dfa0b55d0f06f4aaa6c";
const bell = { type: "in_app", name: "In", controlValues: { body: "Test <b>{{payload.n}}</b>", data: { category: "{{payload.category}}" },
  primaryAction: { label: "One" }, secondaryAction: { label: "Two" } } };
const bare = { type: "in_app", name: "In", controlValues: { body: "bare" } };
const mail = { type: "email", name: "Mail", controlValues: { subject: "s", body: "b" } };
const text = { type: "sms", name: "Text", controlValues: { body: "b" } };
const chat = { type: "chat", name: "Chat", controlValues: { body: "b" } };
const push = { type: "push", name: "Push", controlValues: { subject: "s", body: "b" } };

let made = 0;
const workflow = async (more = {}) => {
  const workflowId = `wf-${made++}`;
  const answer = await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps: [bell], ...more });
  assert.equal(answer.status, 201, answer.text);
  return { id: answer.body.data._id, identifier: workflowId };
};
const open = (body) => server.call("POST", "/v1/inbox/session", { applicationIdentifier: application, ...body }, { key: null });
const said = ({ message, errors }) => [message, ...Object.values(errors ?? {}).flatMap((e) => e.messages)].join("; ");

/** Somebody's browser. */
let people = 0;
async function somebody(more = {}) {
  const { subscriberId = `person-${people++}`, ...rest } = more;
  const session = await open({ subscriberId, ...rest });
  assert.equal(session.status, 201, session.text);
  const { token } = session.body.data;
  const ask = (method, path, body, version = "@novu/js@3.13.0") => server.call(method, `/v1/inbox${path}`, body,
    { key: null, headers: { Authorization: `Bearer ${token}`, "Novu-Client-Version": version } });
  const list = async (query = "") => (await ask("GET", `/notifications?limit=100${query}`)).body.data;
  const get = async (id) => (await list()).find((n) => n.id === id);
  /** n messages of a workflow are there when this returns; the newest first. */
  const receive = async ({ identifier }, n = 1, payload = {}) => {
    const before = new Set((await list()).map((m) => m.id));
    for (let i = 0; i < n; i++) await novu.trigger({ workflowId: identifier, to: { subscriberId }, payload, ...(rest.context && { context: rest.context }) });
    return until(async () => {
      const fresh = (await list()).filter((m) => !before.has(m.id));
      return fresh.length === n && fresh;
    }, `${n} messages of ${identifier}`);
  };
  return { subscriberId, session: session.body.data, ask, list, get, receive };
}

test("before there is any workflow, no channel has a preference, and setting some shows none", async () => {
  const me = await somebody();
  for (const [method, path, body] of [["GET", "/preferences"], ["PATCH", "/preferences", { email: true, in_app: true, sms: false, push: false, chat: true }],
    ["PATCH", "/preferences", { email: false, schedule: { isEnabled: true, weeklySchedule: { monday: { isEnabled: true, hours: [{ start: "09:00 AM", end: "05:00 PM" }] } } } }]]) {
    const { status, body: answer } = await me.ask(method, path, body);
    const [global, ...others] = Array.isArray(answer.data) ? answer.data : [answer.data];
    assert.equal(status, 200);
    assert.equal(global.level, "global");
    assert.deepEqual(global.channels, {});
    assert.deepEqual(others, []);
  }
});

test("the channels of the global preference are those of the workflows", async () => {
  const me = await somebody();
  await workflow({ steps: [mail] });
  const [global, only] = (await me.ask("GET", "/preferences")).body.data;
  assert.deepEqual([global.level, global.channels, only.level, only.channels], ["global", { email: true }, "template", { email: true }]);
  await workflow({ steps: [bare, mail] });
  for (let i = 0; i < 2; i++) {
    const { data } = (await me.ask("PATCH", "/preferences", { in_app: true })).body;
    assert.deepEqual([data.level, data.channels], ["global", { email: true, in_app: true }]);
  }
});

test("sessions: who, with what, and what is said of them", async () => {
  const person = { subscriberId: "whole", firstName: "Ada", lastName: "L", email: "ada@example.com", locale: "de-DE", data: { key: "v", nested: { key: "v" } } };
  const first = await open({ subscriber: person });
  assert.equal(first.status, 201);
  assert.equal(first.body.data.totalUnreadCount, 0);
  const stored = async () => (await server.call("GET", "/v2/subscribers/whole")).body.data;
  for (const [key, value] of Object.entries(person)) assert.deepEqual((await stored())[key], value, key);
  const later = { ...person, firstName: "Ada 2", email: "ada2@example.com", locale: "fr-FR", data: { other: "w", nested: { key: "x" } } };
  assert.equal((await open({ subscriber: later, subscriberHash: createHmac("sha256", server.dev.secretKey).update("whole").digest("hex") })).status, 201);
  for (const [key, value] of Object.entries(later)) assert.deepEqual((await stored())[key], value, key);
  assert.equal((await open({ subscriber: { ...later, firstName: "Ada 3", data: {} } })).status, 201);
  assert.deepEqual([(await stored()).firstName, (await stored()).data], ["Ada 2", later.data], "without the hash nothing is changed");

  const nobody = await open({ subscriber: { firstName: "John", email: "john@example.com" } });
  assert.equal(nobody.status, 422);
  assert.equal((await open({ subscriberId: "elsewhere", subscriber: undefined })).status, 201);
});

test("an environment without an active in-app integration opens no session", async () => {
  const [bellbox] = (await server.call("GET", "/v1/integrations")).body.data.filter((i) => i.channel === "in_app");
  await server.call("PUT", `/v1/integrations/${bellbox._id}`, { active: false });
  const answer = await open({ subscriberId: "x" });
  assert.equal(answer.status, 404);
  assert.match(answer.body.message, /The active in-app integration could not be found/);
  await server.call("PUT", `/v1/integrations/${bellbox._id}`, { active: true });
  assert.equal((await open({ subscriberId: "x" })).status, 201);
});

test("hashes are asked for where the integration says so; that of a context holds for any order of its keys, and for it alone", async () => {
  const [bellbox] = (await server.call("GET", "/v1/integrations")).body.data.filter((i) => i.channel === "in_app");
  const sign = (what) => createHmac("sha256", server.dev.secretKey).update(what).digest("hex");
  await server.call("PUT", `/v1/integrations/${bellbox._id}`, { credentials: { hmac: true } });
  const subscriberHash = sign("signed"), contextHash = sign('{"app":"dashboard","env":"prod","tenant":"acme"}');
  for (const [body, status, message] of [
    [{ subscriberHash }, 201],
    [{}, 400, /valid HMAC hash/],
    [{ subscriberHash: createHmac("sha256", "other").update("signed").digest("hex") }, 400, /valid HMAC hash/],
    [{ subscriberHash, context: { tenant: "acme", app: "dashboard", env: "prod" }, contextHash }, 201],
    [{ subscriberHash, context: { env: "prod", tenant: "acme", app: "dashboard" }, contextHash }, 201],
    [{ subscriberHash, context: { env: "prod", tenant: "malicious", app: "dashboard" }, contextHash }, 400, /valid context HMAC hash/],
    [{ subscriberHash, context: { env: "prod", tenant: "acme", app: "dashboard" } }, 400, /valid context HMAC hash/],
    [{ subscriberHash, context: { tenant: "acme" }, contextHash: "invalid" }, 400, /valid context HMAC hash/],
  ]) {
    const answer = await open({ subscriberId: "signed", ...body });
    assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`);
    if (message) assert.match(answer.body.message, message);
  }
  await server.call("PUT", `/v1/integrations/${bellbox._id}`, { credentials: { hmac: false } });
  assert.equal((await open({ subscriberId: "signed", context: { tenant: "acme", app: "dashboard" } })).status, 201);
});

const hours = (start, end) => ({ isEnabled: true, hours: [{ start, end }] });
const schedules = [
  [{ isEnabled: true, weeklySchedule: { monday: hours("09:00 AM", "05:00 PM"), friday: hours("09:00 AM", "05:00 PM") } }],
  [{ isEnabled: false }],
  [{ isEnabled: true }],
  [{ isEnabled: true, weeklySchedule: { monday: { isEnabled: true, hours: [{ start: "09:00 AM", end: "12:00 PM" }, { start: "01:00 PM", end: "05:00 PM" }] } } }],
  [{ isEnabled: true, weeklySchedule: { monday: hours("9:00 AM", "5:00 PM"), tuesday: hours("09:00 AM", "05:00 PM") } }],
  [{ isEnabled: true, weeklySchedule: {} }, /weeklySchedule must contain at least one day configuration when isEnabled is true/],
  [{ isEnabled: true, weeklySchedule: { monday: hours("25:00", "17:00") } }, /must be in 12-hour format/],
  [{ isEnabled: true, weeklySchedule: { invalidDay: hours("09:00 AM", "05:00 PM") } }, /weeklySchedule contains invalid day names/],
];
for (const [i, [schedule, refused]] of schedules.entries())
  test(`schedule ${i}: ${JSON.stringify(schedule).slice(0, 60)}, given with a session or set later`, async () => {
    const later = await somebody();
    for (const answer of [await open({ subscriberId: `timed-${i}`, defaultSchedule: schedule }), await later.ask("PATCH", "/preferences", { schedule })])
      if (refused) {
        assert.equal(answer.status, 422, answer.text);
        assert.equal(answer.body.message, "Validation Error");
        assert.ok(answer.body.errors.general.messages.some((m) => refused.test(m)), answer.text);
      } else {
        assert.ok(answer.status < 300, answer.text);
        assert.deepEqual(answer.body.data.schedule, schedule);
      }
  });

test("a schedule that is set replaces the week that was there; one by default does not; contexts have their own", async () => {
  const me = await somebody({ defaultSchedule: { isEnabled: true, weeklySchedule: { monday: hours("08:00 AM", "04:00 PM") } } });
  const again = await open({ subscriberId: me.subscriberId, defaultSchedule: { isEnabled: true, weeklySchedule: { tuesday: hours("10:00 AM", "06:00 PM") } } });
  assert.deepEqual(Object.keys(again.body.data.schedule.weeklySchedule), ["monday"]);
  const week = { tuesday: hours("10:00 AM", "06:00 PM"), wednesday: hours("08:00 AM", "04:00 PM") };
  assert.deepEqual((await me.ask("PATCH", "/preferences", { schedule: { isEnabled: true, weeklySchedule: week } })).body.data.schedule.weeklySchedule, week);
  const of = async (tenant, defaultSchedule) => (await open({ subscriberId: "timed-by-tenant", context: { tenant }, defaultSchedule })).body.data.schedule;
  const acme = { isEnabled: true, weeklySchedule: { monday: hours("09:00 AM", "05:00 PM") } };
  const globex = { isEnabled: true, weeklySchedule: { monday: hours("12:00 AM", "11:59 PM"), tuesday: hours("12:00 AM", "11:59 PM") } };
  assert.deepEqual(await of("acme", acme), acme);
  assert.deepEqual(await of("globex", globex), globex);
  assert.deepEqual(await of("acme"), acme);
  assert.deepEqual((await open({ subscriberId: me.subscriberId })).body.data.schedule.weeklySchedule, week);
});

test("contexts of a session are made once and named in it", async () => {
  const contexts = async () => (await server.call("GET", "/v2/contexts?limit=100")).body.data.map((c) => `${c.type}:${c.id}`);
  const context = { teamId: "team-123", projectId: "project-456" };
  for (let i = 0; i < 2; i++) {
    assert.deepEqual((await open({ subscriberId: "ctx", context })).body.data.contextKeys.toSorted(), ["projectId:project-456", "teamId:team-123"]);
    assert.deepEqual((await contexts()).filter((key) => /team-123|project-456/.test(key)).toSorted(), ["projectId:project-456", "teamId:team-123"]);
  }
});

test("unread messages are counted by severity when a session begins", async () => {
  const me = await somebody();
  const high = await workflow({ severity: "high" }), medium = await workflow({ severity: "medium" }), none = await workflow();
  const [first] = await me.receive(high, 2);
  await me.receive(medium);
  await me.receive(none);
  const counted = async () => (await open({ subscriberId: me.subscriberId })).body.data;
  assert.deepEqual((await counted()).unreadCount, { total: 4, severity: { high: 2, medium: 1, low: 0, none: 1 } });
  await me.ask("PATCH", `/notifications/${first.id}/read`);
  const { unreadCount, totalUnreadCount } = await counted();
  assert.deepEqual(unreadCount, { total: 3, severity: { high: 1, medium: 1, low: 0, none: 1 } });
  assert.equal(totalUnreadCount, 3);
});

test("lists say by which severities they were filtered", async () => {
  const me = await somebody();
  for (const severity of ["high", "medium", "low"]) await me.receive(await workflow({ severity }));
  for (const of of [["high"], ["high", "medium"]]) {
    const { body } = await me.ask("GET", `/notifications?limit=10&${of.map((s) => `severity[]=${s}`).join("&")}`);
    assert.deepEqual(body.data.map((n) => n.severity).toSorted(), of);
    assert.deepEqual(body.filter.severity, of);
  }
});

test("mistakes in a list's query are named", async () => {
  const me = await somebody();
  for (const [query, first] of [["limit=1&offset=-1", "offset must not be less than 0"], ["limit=1&after=after", "The after cursor must be a valid MongoDB ObjectId"]]) {
    const { status, body } = await me.ask("GET", `/notifications?${query}`);
    assert.equal(status, 422);
    assert.equal(body.errors.general.messages[0], first);
  }
});

test("pages by offset and by cursor, of the archive too, come out even", async () => {
  const me = await somebody();
  const all = await me.receive(await workflow(), 4);
  for (const query of ["", "&archived=true&read=true"]) {
    const page = async (more) => (await me.ask("GET", `/notifications?limit=2${query}${more}`)).body;
    const first = await page("");
    assert.deepEqual([first.data.map((n) => n.id), first.hasMore], [all.slice(0, 2).map((n) => n.id), true]);
    for (const more of ["&offset=2", `&after=${all[1].id}`, `&after=${all[1].id}&offset=3`]) {
      const second = await page(more);
      assert.deepEqual([second.data.map((n) => n.id), second.hasMore], [all.slice(2).map((n) => n.id), false], more);
    }
    await me.ask("POST", "/notifications/archive", {});
  }
});

test("what is no id is told apart from one that is nobody's, by the name of the field", async () => {
  const me = await somebody();
  const [message] = await me.receive(await workflow({ steps: [bare] }));
  const snoozeUntil = new Date(Date.now() + 3600_000);
  for (const [verb, body] of [["read"], ["unread"], ["archive"], ["unarchive"], ["snooze", { snoozeUntil }], ["unsnooze"],
    ["complete", { actionType: "primary" }], ["revert", { actionType: "secondary" }]]) {
    const fake = await me.ask("PATCH", `/notifications/fake/${verb}`, body);
    assert.equal(fake.status, 422, `${verb}: ${fake.text}`);
    assert.equal(fake.body.errors.notificationId.messages[0], "notificationId must be a mongodb id");
    assert.equal((await me.ask("PATCH", `/notifications/${NOWHERE}/${verb}`, body)).status, 404, verb);
  }
  assert.equal((await me.ask("PATCH", `/notifications/${NOWHERE}/read`)).body.message, `Notification with id: ${NOWHERE} is not found.`);
  assert.equal((await me.ask("DELETE", "/notifications/fake/delete")).status, 422);
  assert.equal((await me.ask("DELETE", `/notifications/${NOWHERE}/delete`)).status, 404);
  for (const button of ["primary", "secondary"]) {
    const { status, body } = await me.ask("PATCH", `/notifications/${message.id}/complete`, { actionType: button });
    assert.deepEqual([status, body.message], [400, `Could not perform action on the ${button} button because it does not exist.`]);
  }
});

test("one message's states, as each write answers and the list then shows", async () => {
  const me = await somebody(), wf = await workflow();
  const until_ = new Date(Date.now() + 3600_000).toISOString();
  const fresh = () => me.receive(wf).then(([n]) => n);
  const cases = [
    [[], "read", undefined, { isRead: true, isSeen: true, isArchived: false, readAt: "set", archivedAt: undefined }],
    [["archive"], "unread", undefined, { isRead: false, isSeen: true, isArchived: false, readAt: null, archivedAt: null }],
    [[], "archive", undefined, { isRead: true, isSeen: true, isArchived: true, readAt: "set", archivedAt: "set" }],
    [["archive"], "unarchive", undefined, { isRead: true, isSeen: true, isArchived: false, readAt: "set", archivedAt: null }],
    [[], "snooze", { snoozeUntil: until_ }, { isSnoozed: true, snoozedUntil: until_, isSeen: true, isRead: false }],
    [["snooze"], "unsnooze", undefined, { isSnoozed: false, snoozedUntil: undefined, isSeen: true, isRead: false }],
    [[], "complete", { actionType: "primary" }, { primary: true, secondary: false }],
    [[], "complete", { actionType: "secondary" }, { primary: false, secondary: true }],
  ];
  for (const [first, verb, body, expected] of cases) {
    const { id } = await fresh();
    for (const step of first) await me.ask("PATCH", `/notifications/${id}/${step}`, { snoozeUntil: until_ });
    const answer = await me.ask("PATCH", `/notifications/${id}/${verb}`, body);
    assert.equal(answer.status, 200, `${verb}: ${answer.text}`);
    const n = answer.body.data;
    const seen = { ...n, primary: n.primaryAction.isCompleted, secondary: n.secondaryAction.isCompleted };
    for (const [key, value] of Object.entries(expected))
      if (value === "set") assert.ok(Date.parse(seen[key]) > 0, `${verb} ${key}`);
      else assert.strictEqual(seen[key], value, `${verb} ${key}`);
    // In the answer that takes a date away it is null; elsewhere it is not there.
    const unset = Object.fromEntries(Object.entries(n).filter(([, value]) => value !== null));
    assert.deepEqual(await me.get(id), unset, verb);
  }
});

test("snoozing: not in the past, not too far, not another's; unsnoozing only what is", async () => {
  const me = await somebody(), other = await somebody();
  const [{ id }] = await me.receive(await workflow());
  const snooze = (who, ms) => who.ask("PATCH", `/notifications/${id}/snooze`, { snoozeUntil: new Date(Date.now() + ms) });
  assert.equal((await me.ask("PATCH", `/notifications/${id}/unsnooze`)).status, 404);
  assert.equal((await snooze(me, -3600_000)).status, 422);
  assert.equal((await snooze(me, 180 * 24 * 3600_000)).status, 402);
  assert.equal((await snooze(other, 3600_000)).status, 404);
  assert.equal((await snooze(me, 3600_000)).status, 200);
  assert.deepEqual((await me.list("&snoozed=true")).map((n) => n.id), [id]);
  assert.deepEqual(await me.list("&snoozed=false"), []);
});

test("seen: by id before all else, by filters, and nothing besides", async () => {
  const me = await somebody();
  const tagged = await workflow({ tags: ["important"] });
  const [a, b, c] = await me.receive(await workflow(), 3);
  const seen = (body) => me.ask("POST", "/notifications/seen", body);
  const states = async () => Object.fromEntries((await me.list()).map((n) => [n.id, [n.isSeen, n.isRead, n.isArchived]]));
  assert.equal((await seen({ notificationIds: [a.id], tags: ["some-tag"] })).status, 204);
  assert.deepEqual(await states(), { [a.id]: [true, false, false], [b.id]: [false, false, false], [c.id]: [false, false, false] });
  await me.ask("PATCH", `/notifications/${b.id}/read`);
  await me.ask("PATCH", `/notifications/${c.id}/archive`);
  assert.equal((await seen({ notificationIds: [b.id, c.id, "507f1f77bcf86cd799439011"] })).status, 204);
  assert.deepEqual(await states(), { [a.id]: [true, false, false], [b.id]: [true, true, false], [c.id]: [true, true, true] });
  const [d] = await me.receive(tagged), [e] = await me.receive(await workflow());
  assert.equal((await seen({ tags: ["important"] })).status, 204);
  assert.deepEqual([(await me.get(d.id)).isSeen, (await me.get(e.id)).isSeen], [true, false]);
  for (const [body, status, message] of [[{ notificationIds: ["invalid-id", "another"] }, 422, /Validation Error/], [{ notificationIds: "not-an-array" }, 422],
    [{ tags: "not-an-array" }, 422], [{ data: "invalid-json-{" }, 400, /Invalid JSON format for data parameter/]]) {
    const answer = await seen(body);
    assert.equal(answer.status, status, answer.text);
    if (message) assert.match(answer.body.message, message);
  }
  assert.equal((await me.get(e.id)).isSeen, false);
});

test("all, by tag, by data with alternatives: read, archived, deleted", async () => {
  const me = await somebody();
  const plain = await workflow(), letters = await workflow({ tags: ["newsletter"] });
  const [old] = await me.receive(plain), [news] = await me.receive(letters);
  const many = (verb, body = {}) => me.ask("POST", `/notifications/${verb}`, body);
  const states = async (key) => [(await me.get(old.id))[key], (await me.get(news.id))[key]];
  for (const [verb, body, key, expected] of [
    ["read-archive", {}, "isArchived", [false, false]],
    ["read", { tags: ["newsletter"] }, "isRead", [false, true]],
    ["read-archive", { tags: ["newsletter"] }, "isArchived", [false, true]],
    ["read", {}, "isRead", [true, true]],
    ["read-archive", {}, "isArchived", [true, true]],
  ]) {
    const answer = await many(verb, body);
    assert.deepEqual([answer.status, answer.text], [204, ""]);
    assert.deepEqual(await states(key), expected, `${verb} ${JSON.stringify(body)}`);
  }
  const [opened, draft, closed] = [await me.receive(plain, 1, { category: "open" }), await me.receive(plain, 1, { category: "draft" }),
    await me.receive(plain, 1, { category: "closed" })].flat();
  assert.equal((await many("delete", { data: JSON.stringify({ category: ["open", "draft"] }) })).status, 204);
  assert.deepEqual([await me.get(opened.id), await me.get(draft.id), (await me.get(closed.id)).id], [undefined, undefined, closed.id]);
  assert.equal((await many("delete", { tags: ["newsletter"] })).status, 204);
  assert.deepEqual((await me.list()).map((n) => n.id), [closed.id, old.id]);
  assert.equal((await server.call("POST", "/v1/inbox/notifications/delete", {}, { key: null })).status, 401);
  assert.equal((await many("delete")).status, 204);
  assert.deepEqual(await me.list(), []);
});

test("counts for every state, severity and tag, and the filters as they were", async () => {
  const me = await somebody();
  const high = await workflow({ severity: "high", tags: ["urgent"] }), other = await workflow({ severity: "high" }), low = await workflow({ severity: "low" });
  await me.receive(high, 2);
  await me.receive(other);
  const [n] = await me.receive(low);
  await me.ask("PATCH", `/notifications/${n.id}/archive`);
  const filters = [[{}, 4], [{ tags: ["urgent"] }, 2], [{ read: true }, 1], [{ archived: true }, 1], [{ read: true, archived: true }, 1], [{ seen: true }, 1],
    [{ seen: false }, 3], [{ tags: ["urgent"], seen: true }, 0], [{ severity: ["high"] }, 3], [{ severity: ["high", "low"] }, 4], [{ severity: ["none"] }, 0],
    [{ severity: ["high"], tags: ["urgent"], read: false }, 2]];
  const { body } = await me.ask("GET", `/notifications/count?filters=${encodeURIComponent(JSON.stringify(filters.map(([f]) => f)))}`);
  assert.deepEqual(body.data, filters.map(([filter, count]) => ({ count, filter })));
});

test("preferences: which there are, by tag, severity and both", async () => {
  const me = await somebody();
  const tagged = [await workflow({ tags: ["p-news"] }), await workflow({ tags: ["p-safe"], severity: "high" })];
  await workflow({ tags: ["p-urgent"], severity: "high" });
  await workflow({ tags: ["p-urgent"], severity: "medium" });
  const critical = await workflow({ tags: ["p-news"], preferences: { user: { all: { enabled: true, readOnly: true }, channels: {} } } });
  const ask = async (query) => {
    const { status, body } = await me.ask("GET", `/preferences?${query}`);
    assert.equal(status, 200, query);
    assert.equal(body.data[0].level, "global", query);
    assert.equal(body.data[0].channels.in_app, true, query);
    return body.data.slice(1);
  };
  const ids = (list) => list.map((p) => p.workflow.id).toSorted();
  assert.deepEqual(ids(await ask("tags[]=p-news&tags[]=p-safe")), tagged.map((w) => w.id).toSorted());
  assert.ok(!(await ask("")).some((p) => p.workflow.id === critical.id || p.workflow.critical));
  const [one, ...more] = await ask("severity[]=high&tags[]=p-urgent");
  assert.deepEqual([one.workflow.severity, one.workflow.tags, more], ["high", ["p-urgent"], []]);
  assert.deepEqual(await ask("severity[]=low&tags[]=p-urgent"), []);
  assert.ok((await ask("severity[]=none")).every((p) => p.workflow.severity === "none"));
  assert.equal((await server.call("GET", "/v1/inbox/preferences", undefined, { key: null, headers: { Authorization: "Bearer InvalidToken" } })).status, 401);
});

test("a workflow's preference shows its own channels only, keeps what a change does not name, and yields to a later global one", async () => {
  const me = await somebody();
  const two = await workflow({ steps: [bare, mail] }), five = await workflow({ steps: [text, bare, mail, chat, push] });
  const set = async (path, body) => {
    const { status, body: answer, text: raw } = await me.ask("PATCH", `/preferences${path}`, body);
    assert.equal(status, 200, raw);
    return answer.data;
  };
  const all = { email: true, in_app: false, sms: false, push: false, chat: true };
  const first = await set(`/${two.id}`, all);
  assert.deepEqual([first.level, first.channels], ["template", { email: true, in_app: false }]);
  assert.deepEqual((await set(`/${five.id}`, all)).channels, all);
  assert.deepEqual((await set(`/${five.id}`, { email: false, in_app: true })).channels, { ...all, email: false, in_app: true });
  assert.deepEqual((await set(`/${two.id}`, { email: false, in_app: false })).channels, { email: false, in_app: false });
  const global = await set("", { email: true });
  assert.deepEqual([global.level, global.channels.email, global.channels.in_app], ["global", true, true]);
  const then = (await me.ask("GET", "/preferences")).body.data.find((p) => p.workflow?.id === two.id);
  assert.deepEqual(then.channels, { email: true, in_app: false });
  for (const path of ["", `/${two.id}`])
    assert.equal((await server.call("PATCH", `/v1/inbox/preferences${path}`, { email: true }, { key: null, headers: { Authorization: "Bearer InvalidToken" } })).status, 401);
});

let topics = 0;
const topic = () => `topic-${topics++}`;
const of = (preferences) => (preferences ?? []).map((p) => p.workflow.identifier).toSorted();

test("a subscription: made of names, pairs and filters; read by its identifier alone, with stored, named and tagged workflows once each", async () => {
  const me = await somebody(), key = topic(), tag = `tag-${key}`;
  const [stored, named, tagged, both] = [await workflow(), await workflow({ steps: [mail] }), await workflow({ steps: [text], tags: [tag] }), await workflow({ steps: [push], tags: [tag] })];
  const make = async (preferences) => {
    const answer = await me.ask("POST", `/topics/${topic()}/subscriptions`, { identifier: `s-${topics}`, preferences });
    assert.equal(answer.status, 201, answer.text);
    return of(answer.body.data.preferences);
  };
  assert.deepEqual(await make([stored.identifier]), [stored.identifier]);
  assert.deepEqual(await make([stored.identifier, { workflowId: named.id, enabled: true }]), [stored.identifier, named.identifier].toSorted());
  assert.deepEqual(await make([{ filter: { workflowIds: [named.id] }, enabled: true }]), [named.identifier]);

  const { body } = await me.ask("POST", `/topics/${key}/subscriptions`, { identifier: `mine-${key}`, preferences: [stored.identifier] });
  const get = async (query = "", which = `mine-${key}`) => me.ask("GET", `/topics/${key}/subscriptions/${which}${query}`);
  const { status, body: found } = await get();
  assert.equal(status, 200);
  assert.deepEqual([found.data.id, found.data.identifier, of(found.data.preferences)], [body.data.id, `mine-${key}`, [stored.identifier]]);
  for (const which of ["non-existent", body.data.id]) assert.equal((await get("", which)).status, 204, which);
  for (const [query, expected] of [
    [`?workflowIds=${named.identifier}`, [stored, named]],
    [`?workflowIds=${named.id}`, [stored, named]],
    [`?workflowIds=${stored.identifier}`, [stored]],
    [`?workflowIds=${stored.identifier}&workflowIds=${named.identifier}`, [stored, named]],
    [`?tags=${tag}`, [stored, tagged, both]],
    [`?tags=${tag}&workflowIds=${named.identifier}&workflowIds=${both.identifier}`, [stored, named, tagged, both]],
  ])
    assert.deepEqual(of((await get(query)).body.data.preferences), expected.map((w) => w.identifier).toSorted(), query);
  const computed = (await get(`?workflowIds=${tagged.identifier}`)).body.data.preferences.find((p) => p.workflow.id === tagged.id);
  assert.deepEqual([computed.enabled, computed.workflow.name, computed.workflow.tags], [true, tagged.identifier, [tag]]);
  const off = await workflow({ preferences: { user: { all: { enabled: false, readOnly: false }, channels: {} } } });
  assert.equal((await get(`?workflowIds=${off.identifier}`)).body.data.preferences.find((p) => p.workflow.id === off.id).enabled, false);
});

test("a subscription's identifier has at most 512 characters, and there is one when none was given", async () => {
  const me = await somebody(), key = topic();
  for (const [n, status] of [[512, 201], [513, 422]])
    assert.equal((await me.ask("POST", `/topics/${key}/subscriptions`, { identifier: "a".repeat(n) })).status, status, String(n));
  assert.equal((await me.ask("POST", `/topics/${key}/subscriptions`, {})).body.data.identifier, `tk_${key}:si_${me.subscriberId}`);
});

test("what a subscription says of a workflow: switched, by channel, apart from other subscriptions", async () => {
  const me = await somebody(), wf = await workflow({ steps: [mail, bare, text] });
  const made = await me.ask("POST", `/topics/${topic()}/subscriptions`, { identifier: "first", preferences: [{ workflowId: wf.id, condition: true }] });
  assert.deepEqual(made.body.data.preferences.map((p) => [p.enabled, p.condition]), [[true, true]]);
  await me.ask("POST", `/topics/${topic()}/subscriptions`, { identifier: "second" });
  const set = async (identifier, body) => {
    const { status, body: answer, text: raw } = await me.ask("PATCH", `/subscriptions/${identifier}/preferences/${wf.id}`, body);
    assert.equal(status, 200, raw);
    const { level, workflow: w, subscriptionId, enabled, channels } = answer.data;
    assert.deepEqual([level, w.id, subscriptionId], ["template", wf.id, identifier]);
    return [enabled, channels];
  };
  for (const enabled of [false, true, false]) assert.equal((await set("first", { enabled }))[0], enabled);
  for (const on of [false, true])
    assert.deepEqual(await set("second", { enabled: on, email: on, sms: on, in_app: on, chat: on, push: on }), [on, { email: on, in_app: on, sms: on }]);
  assert.equal((await set("first", { enabled: true }))[0], true);
  assert.equal((await set("second", { enabled: false }))[0], false);
});

test("each context has subscriptions and choices of its own", async () => {
  const subscriberId = "contextual";
  const context = (x) => ({ tenant: `tenant-${x}`, project: `project-${x}` });
  const a = await somebody({ subscriberId, context: context("a") }), b = await somebody({ subscriberId, context: context("b") }), none = await somebody({ subscriberId });
  const wf = await workflow(), key = topic();
  const path = `/topics/${key}/subscriptions`;
  const keys = async () => Object.fromEntries((await server.call("GET", `/v2${path}?limit=100`)).body.data.map((s) => [s.identifier, s.contextKeys]));
  for (const [who, identifier] of [[a, "ctx-a"], [b, "ctx-b"], [none, "ctx-none"]]) {
    const { status, body } = await who.ask("POST", path, { identifier });
    assert.deepEqual([status, body.data.identifier], [201, identifier]);
    assert.deepEqual((await who.ask("GET", path)).body.data.map((s) => s.identifier), [identifier]);
  }
  assert.deepEqual(await keys(), { "ctx-a": ["project:project-a", "tenant:tenant-a"], "ctx-b": ["project:project-b", "tenant:tenant-b"], "ctx-none": [] });
  for (const who of [a, b, none])
    for (const identifier of ["ctx-a", "ctx-b", "ctx-none"])
      assert.equal((await who.ask("GET", `${path}/${identifier}`)).status, { "ctx-a": a, "ctx-b": b, "ctx-none": none }[identifier] === who ? 200 : 204);
  for (const [who, x] of [[a, "a"], [b, "b"]]) {
    const { body } = await who.ask("POST", `/topics/auto/subscriptions`, {});
    assert.equal(body.data.identifier, `tk_auto:si_${subscriberId}:ctx_project:project-${x},tenant:tenant-${x}`);
  }
  const set = (who, identifier, enabled) => who.ask("PATCH", `/subscriptions/${identifier}/preferences/${wf.id}`, { enabled });
  assert.equal((await set(a, "ctx-a", false)).body.data.enabled, false);
  const shown = async (who, identifier) => (await who.ask("GET", `${path}/${identifier}?workflowIds=${wf.id}`)).body.data.preferences[0].enabled;
  assert.deepEqual([await shown(a, "ctx-a"), await shown(b, "ctx-b")], [false, true]);
  assert.equal((await set(b, "ctx-b", true)).body.data.enabled, true);
  assert.deepEqual([await shown(a, "ctx-a"), await shown(b, "ctx-b")], [false, true]);
  assert.equal((await a.ask("PATCH", `${path}/ctx-a`, { name: "Updated" })).body.data.name, "Updated");
  assert.notEqual((await b.ask("GET", `${path}/ctx-b`)).body.data.name, "Updated");
  for (const verb of ["PATCH", "DELETE"]) assert.equal((await b.ask(verb, `${path}/ctx-a`, { name: "x" })).status, 404, verb);
  assert.equal((await a.ask("DELETE", `${path}/ctx-a`)).status, 200);
  assert.deepEqual([(await a.ask("GET", `${path}/ctx-a`)).status, (await b.ask("GET", `${path}/ctx-b`)).status], [204, 200]);
});

test("channel connections and endpoints show in their context only; shared ones to all of it, whatever the query asks for", async () => {
  const subscriberId = "linked";
  const made = await server.call("POST", "/v1/integrations", { providerId: "slack", channel: "chat", identifier: "up-slack", active: true, name: "up", credentials: {} });
  assert.equal(made.status, 201, made.text);
  const context = (x) => ({ tenant: `tenant-${x}`, project: `project-${x}` });
  const a = await somebody({ subscriberId, context: context("a") }), b = await somebody({ subscriberId, context: context("b") }), none = await somebody({ subscriberId });
  let nth = 0;
  const connection = async (of, x) => {
    const identifier = `conn-${nth++}`;
    const answer = await server.call("POST", "/v1/channel-connections", { identifier, integrationIdentifier: "up-slack", ...(of && { subscriberId: of }), ...(x && { context: context(x) }),
      workspace: { id: `T${nth}`, name: "Test" }, auth: { accessToken: `xoxb-${nth}` } });
    assert.equal(answer.status, 201, answer.text);
    return { identifier, id: answer.body.data._id };
  };
  const own = { a: await connection(subscriberId, "a"), b: await connection(subscriberId, "b"), none: await connection(subscriberId) };
  const shared = { a: await connection(undefined, "a"), b: await connection(undefined, "b") };
  const list = async (who, query = "") => {
    const { status, body } = await who.ask("GET", `/channel-connections${query}`);
    assert.equal(status, 200);
    return body.data.map((c) => c.identifier).toSorted();
  };
  const names = (...c) => c.map((x) => x.identifier).toSorted();
  assert.deepEqual(await list(a), names(own.a, shared.a));
  assert.deepEqual(await list(b), names(own.b, shared.b));
  assert.deepEqual(await list(none), names(own.none));
  assert.deepEqual(await list(a, "?contextKeys=project:project-b&contextKeys=tenant:tenant-b"), names(own.a, shared.a));
  assert.deepEqual(await list(a, "?connectionMode=shared"), names(shared.a));
  assert.deepEqual(await list(a, "?connectionMode=subscriber"), names(own.a));
  const get = async (who, c) => (await who.ask("GET", `/channel-connections/${c.identifier}`)).status;
  assert.deepEqual([await get(a, own.b), await get(b, own.b), await get(a, shared.a), await get(b, shared.a)], [404, 200, 200, 404]);
  const remove = async (who, c) => (await who.ask("DELETE", `/channel-connections/${c.identifier}`)).status;
  assert.deepEqual([await remove(a, own.b), await remove(b, own.b), await remove(a, shared.a)], [404, 204, 204]);
  const after_ = await none.ask("GET", `/channel-connections?limit=10&after=${shared.b.id}`);
  assert.equal(after_.status, 200);
  assert.ok(after_.body.data.every((c) => c.identifier === own.none.identifier), after_.text);

  const endpoint = async (x) => {
    const identifier = `end-${nth++}`;
    const answer = await server.call("POST", "/v1/channel-endpoints", { identifier, subscriberId, integrationIdentifier: "up-slack", ...(x && { context: context(x) }), type: "slack_channel", endpoint: { channelId: `C${nth}` } });
    assert.equal(answer.status, 201, answer.text);
    return { identifier };
  };
  const ends = { a: await endpoint("a"), b: await endpoint("b"), none: await endpoint() };
  for (const [who, x] of [[a, "a"], [b, "b"], [none, "none"]])
    assert.deepEqual((await who.ask("GET", "/channel-endpoints")).body.data.map((e) => e.identifier), [ends[x].identifier]);
  assert.equal((await a.ask("DELETE", `/channel-endpoints/${ends.b.identifier}`)).status, 404);
  assert.equal((await b.ask("DELETE", `/channel-endpoints/${ends.b.identifier}`)).status, 204);

  const link = await none.ask("POST", "/channel-endpoints/link", { integrationIdentifier: "up-slack" });
  assert.equal(link.status, 400);
  assert.match(said(link.body), /does not support subscriber chat linking/i);
  assert.equal((await none.ask("POST", "/channel-endpoints/link", { integrationIdentifier: "missing" })).status, 404);
  assert.equal((await server.call("POST", "/v1/inbox/channel-endpoints/link", { integrationIdentifier: "up-slack" }, { key: null })).status, 401);
});
