// What a browser's door answers to what is wrong: the status, the shape, the headers without which a page cannot read it; and
// nothing is changed (inbox-realtime.md §0, §2).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api, order, orderShipped } from "./clients.mjs";

let server, token, id;
const NOWHERE = "65f000000000000000000012";
before(async () => {
  server = await Carillon.start();
  const novu = api(server);
  await novu.workflows.create({ ...orderShipped, steps: [orderShipped.steps[0]] });
  const { body } = await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriber: "ada" }, { key: null });
  token = body.data.token;
  await novu.trigger({ workflowId: "order-shipped", to: "ada", payload: order });
  await until(async () => (id = (await ask("GET", "/v1/inbox/notifications")).body.data[0]?.id), "the message");
});
after(() => server?.stop());

const ask = (method, path, body, headers = {}) =>
  server.call(method, path, body, { key: null, headers: { Authorization: `Bearer ${token}`, Origin: "https://shop.example", ...headers } });
const said = ({ message, errors }) => [message, ...Object.values(errors ?? {}).flatMap((e) => e.messages)].join("; ");
const query = (path, params) => `${path}?${new URLSearchParams(params)}`;
const count = (filters) => query("/v1/inbox/notifications/count", { filters: JSON.stringify(filters) });
const groups = (n, of) => ({ and: Array.from({ length: n }, (_, i) => ({ or: Array.from({ length: of }, (__, k) => `t${i}-${k}`) })) });

/** Wrong requests; each answered as said, readable for a page of another site, and by the next one nothing has changed. */
const wrong = (name, cases) =>
  test(name, async () => {
    const state = async () => (await ask("GET", "/v1/inbox/notifications?limit=100")).text;
    const before = await state();
    for (const [method, path, body, status, message, headers] of cases) {
      const answer = await ask(method, path.replace(":id", id), body, headers);
      const what = `${method} ${path.slice(0, 100)} ${JSON.stringify(body)?.slice(0, 100)}: ${answer.status} ${answer.text.slice(0, 300)}`;
      assert.equal(answer.status, status, what);
      assert.equal(answer.headers.get("access-control-allow-origin"), "*", what);
      assert.equal(answer.headers.get("cache-control"), "no-store", what);
      assert.match(answer.headers.get("content-type"), /^application\/json/, what);
      assert.equal(answer.body.statusCode, status, what);
      assert.equal(typeof answer.body.message, "string", what);
      if (message) assert.match(said(answer.body), message, what);
    }
    assert.equal(await state(), before);
  });

wrong("paths, methods, bodies and tokens", [
  ["GET", "/v1/inbox/nothing", undefined, 404],
  ["GET", "/v1/widgets/nothing", undefined, 404],
  ["PUT", "/v1/inbox/notifications", {}, 404],
  ["GET", "/v1/inbox/notifications", undefined, 401, /Unauthorized/, { Authorization: "Bearer x" }],
  ["GET", "/v1/inbox/notifications", undefined, 401, /Unauthorized/, { Authorization: "" }],
  ["GET", "/v1/inbox/notifications", undefined, 401, /Unauthorized/, { Authorization: "ApiKey x" }],
  ["POST", "/v1/inbox/session", "{", 400],
  ["POST", "/v1/inbox/session", "[]", 422],
  ["POST", "/v1/widgets/session/initialize", "{", 400],
  ["POST", "/v1/widgets/session/initialize", {}, 422, /applicationIdentifier/],
  ["POST", "/v1/inbox/notifications/read", "nil", 400],
  ["POST", "/v1/inbox/notifications/read", { tags: ["x".repeat(300_000)] }, 413],
]);

wrong("sessions", [
  [{ applicationIdentifier: 1 }, 422, /applicationIdentifier must be a string/],
  [{ subscriber: 7 }, 422, /subscriber must be an object or a string/],
  [{ subscriber: { subscriberId: 7 } }, 422, /subscriberId must be a string/],
  [{ subscriber: { subscriberId: "x", firstName: [] } }, 422, /firstName/],
  [{ subscriber: "x".repeat(257) }, 422, /subscriberId must have 1 to 256 characters/],
  [{ subscriber: "x\u0000y" }, 422],
  [{ subscriber: "x", context: "acme" }, 422, /context/],
  [{ subscriber: "x", context: { "a b": "acme" } }, 422],
  [{ subscriber: "x", context: Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`t${i}`, "x"])) }, 422],
  [{ subscriber: "x", defaultSchedule: { isEnabled: "yes" } }, 422],
  [{ subscriber: "x", subscriberHash: {} }, 422, /subscriberHash must be a string/],
].map(([body, ...rest]) => ["POST", "/v1/inbox/session", { applicationIdentifier: "none", ...body }, ...rest]));

wrong("filters of lists and counts", [
  ["GET", "/v1/inbox/notifications?limit=0", undefined, 422],
  ["GET", "/v1/inbox/notifications?limit=x", undefined, 422],
  ["GET", "/v1/inbox/notifications?offset=-1", undefined, 422],
  ["GET", "/v1/inbox/notifications?after=zz", undefined, 422],
  ["GET", `/v1/inbox/notifications?after=${NOWHERE}`, undefined, 400, /Invalid after id/],
  ["GET", "/v1/inbox/notifications?createdGte=yesterday", undefined, 422],
  ["GET", "/v1/inbox/notifications?severity=huge", undefined, 422],
  ["GET", "/v1/inbox/notifications?data=%7B", undefined, 400, /Invalid JSON format for data parameter/],
  ["GET", query("/v1/inbox/notifications", { data: "[1]" }), undefined, 400, /Data filter must be an object/],
  ["GET", query("/v1/inbox/notifications", { data: '{"$where":1}' }), undefined, 400, /cannot start with "\$" or "\."/],
  ["GET", query("/v1/inbox/notifications", { data: '{"__proto__":1}' }), undefined, 400],
  ["GET", query("/v1/inbox/notifications", { data: JSON.stringify({ k: "x".repeat(257) }) }), undefined, 400, /exceeds 256 characters/],
  ["GET", query("/v1/inbox/notifications", { data: JSON.stringify({ k: Array(101).fill(1) }) }), undefined, 400],
  ["GET", `/v1/inbox/notifications?${Array.from({ length: 101 }, (_, i) => `tags[]=t${i}`).join("&")}`, undefined, 422, /At most 100 tags/],
  ["GET", `/v1/inbox/notifications?${Array.from({ length: 31 }, (_, i) => `tags[${i}][]=t`).join("&")}`, undefined, 422, /At most 30 tag groups/],
  ["GET", "/v1/inbox/notifications/count?filters=x", undefined, 400, /Invalid filters, the JSON object should be provided\./],
  ["GET", count({}), undefined, 422],
  ["GET", count([1]), undefined, 422],
  ["GET", count(Array(31).fill({})), undefined, 422, /no more than 30/],
  ["GET", count([{ tags: groups(31, 1) }]), undefined, 422, /At most 30 tag groups/],
  ["GET", count([{ tags: groups(3, 70) }]), undefined, 422, /At most 200 total tag values/],
  ["GET", count([{ tags: [1] }]), undefined, 422, /Tags must be strings/],
  ["GET", count([{ tags: { or: ["a"], and: [] } }]), undefined, 422, /cannot have both/],
  ["GET", count([{ data: "{}" }]), undefined, 400],
  ["GET", count([{ read: "no" }]), undefined, 422],
]);

wrong("writes", [
  ...["read", "unread", "archive", "unarchive", "unsnooze"].flatMap((name) => [
    ["PATCH", `/v1/inbox/notifications/${NOWHERE}/${name}`, undefined, 404],
    ["PATCH", `/v1/inbox/notifications/zz/${name}`, undefined, 422, /notificationId must be a mongodb id/]]),
  ["DELETE", `/v1/inbox/notifications/${NOWHERE}/delete`, undefined, 404],
  ["PATCH", "/v1/inbox/notifications/:id/snooze", undefined, 422],
  ["PATCH", "/v1/inbox/notifications/:id/snooze", { snoozeUntil: "soon" }, 422],
  ["PATCH", "/v1/inbox/notifications/:id/snooze", { snoozeUntil: 9e15 }, 422],
  ["PATCH", "/v1/inbox/notifications/:id/snooze", { snoozeUntil: "2001-01-01T00:00:00Z" }, 422],
  ["PATCH", "/v1/inbox/notifications/:id/snooze", { snoozeUntil: "9999-01-01T00:00:00Z" }, 402, /Snooze Duration Limit Exceeded/],
  ["PATCH", "/v1/inbox/notifications/:id/complete", { actionType: "tertiary" }, 422],
  ["PATCH", "/v1/inbox/notifications/:id/complete", {}, 422],
  ["PATCH", "/v1/inbox/notifications/:id/complete", { actionType: "secondary" }, 400, /secondary button because it does not exist/],
  ["POST", "/v1/inbox/notifications/read", { tags: "a" }, 422],
  ["POST", "/v1/inbox/notifications/delete", { tags: { or: [1] } }, 422],
  ["POST", "/v1/inbox/notifications/delete", { tags: { both: [] } }, 422],
  ["POST", "/v1/inbox/notifications/archive", { data: "{" }, 400],
  ["POST", "/v1/inbox/notifications/archive", { data: '{"a":{"b":{"c":1}}}' }, 400],
  ["POST", "/v1/inbox/notifications/seen", { notificationIds: ["zz"] }, 422],
  ["PATCH", "/v1/inbox/preferences", { email: "no" }, 422],
  ["PATCH", "/v1/inbox/preferences/nothing", { email: false }, 404, /Workflow cannot be found/],
  ["POST", "/v1/widgets/messages/mark-as", { messageId: NOWHERE, markAs: "lost" }, 422],
  ["DELETE", `/v1/widgets/messages/${NOWHERE}`, undefined, 404],
  ["POST", "/v1/widgets/messages/bulk/delete", { messageIds: Array(101).fill(NOWHERE) }, 422],
]);

test("a request that fits is answered with the same headers", async () => {
  for (const [method, path, status] of [["GET", "/v1/inbox/notifications", 200], ["POST", "/v1/inbox/notifications/seen", 204],
    ["GET", count(Array(30).fill({ tags: groups(2, 5) })), 200], ["GET", "/v1/widgets/notifications/feed", 200]]) {
    const answer = await ask(method, path, method === "POST" ? { notificationIds: [] } : undefined);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.equal(answer.headers.get("cache-control"), "no-store");
  }
});

test("the token of a subscriber who is gone opens nothing", async () => {
  const { body } = await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriber: "gone" }, { key: null });
  assert.equal((await server.call("DELETE", "/v2/subscribers/gone")).status, 200);
  const headers = { Authorization: `Bearer ${body.data.token}` };
  for (const [method, path] of [["GET", "/v1/inbox/notifications"], ["GET", count([{}])], ["POST", "/v1/inbox/notifications/read"],
    ["PATCH", `/v1/inbox/notifications/${id}/read`], ["GET", "/v1/inbox/preferences"], ["GET", "/v1/widgets/notifications/unseen"], ["POST", "/v1/inbox/events"]]) {
    const answer = await ask(method, path, path.endsWith("events") ? { name: "hello-world", to: "gone" } : undefined, headers);
    assert.equal(answer.status, 401, `${method} ${path}: ${answer.text}`);
  }
});

test("the Inbox of somebody with endless names opens: the token has their beginning", async () => {
  const names = { firstName: "ü".repeat(70_000), lastName: "x".repeat(70_000), email: `${"x".repeat(5000)}@example.com` };
  assert.equal((await server.call("POST", "/v2/subscribers", { subscriberId: "endless", ...names })).status, 201);
  const { body } = await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriber: "endless" }, { key: null });
  assert.ok(body.data.token.length < 2048, `${body.data.token.length} bytes`);
  const answer = await ask("GET", "/v1/inbox/notifications", undefined, { Authorization: `Bearer ${body.data.token}` });
  assert.equal(answer.status, 200, answer.text);
});
