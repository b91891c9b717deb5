// /v1/widgets as the old notification centre and @novu/headless 2.x call it (inbox-realtime.md §3).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Carillon, until } from "./carillon.mjs";

let server;
const workflow = { name: "Bell", workflowId: "bell", active: true, __source: "dashboard", tags: ["ring"],
  steps: [{ name: "Bell", type: "in_app", controlValues: { subject: "S", body: "No. {{payload.n}}", primaryAction: { label: "Go" } } },
    { name: "Mail", type: "email", controlValues: { subject: "S", body: "B" } }] };

const session = (body, environment = server.dev) =>
  server.call("POST", "/v1/widgets/session/initialize", { applicationIdentifier: environment.applicationIdentifier, ...body }, { key: null });

/** A person with n messages, oldest first, and their door to /v1/widgets. */
async function person(subscriberId, n = 0) {
  const { body } = await session({ subscriberId, firstName: "Ada" });
  const call = async (method, path, data, status) => {
    const reply = await fetch(`${server.url}/v1/widgets${path}`, {
      method, headers: { authorization: `Bearer ${body.data.token}`, ...(data ? { "content-type": "application/json" } : {}) },
      body: data ? JSON.stringify(data) : undefined,
    });
    const text = await reply.text();
    if (status) assert.equal(reply.status, status, `${method} ${path}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  };
  for (let i = 0; i < n; i++) {
    await server.call("POST", "/v1/events/trigger", { name: "bell", to: subscriberId, payload: { n: i } });
    await until(async () => (await call("GET", "/notifications/feed?limit=100")).data.length === i + 1, `message ${i}`);
  }
  const ids = (await call("GET", "/notifications/feed?limit=100", undefined, 200)).data.map((m) => m._id).reverse();
  return { call, ids, token: body.data.token, counts: async () => [
    (await call("GET", "/notifications/unseen", undefined, 200)).data.count, (await call("GET", "/notifications/unread", undefined, 200)).data.count] };
}
const said = (body) => body.errors?.general?.messages?.join("; ") ?? body.message;

before(async () => {
  server = await Carillon.start();
  for (const key of [server.dev.secretKey, server.prod.secretKey])
    assert.equal((await server.call("POST", "/v2/workflows", workflow, { key })).status, 201);
});
after(() => server?.stop());

test("a session says who one is, and nothing without the right application and hash", async () => {
  const first = await session({ subscriberId: "ada", firstName: "Ada", lastName: "L", email: "a@b.c", phone: "+1" });
  assert.equal(first.status, 201, first.text);
  assert.deepEqual(Object.keys(first.body.data).sort(), ["profile", "token"]);
  const { _id, ...profile } = first.body.data.profile;
  assert.match(_id, /^[0-9a-f]{24}$/);
  assert.deepEqual(profile, { firstName: "Ada", lastName: "L", phone: "+1" });
  const again = await session({ subscriberId: "ada", firstName: "Eve" });
  assert.equal(again.body.data.profile.firstName, "Ada", "without a hash nobody rewrites a profile");
  const hmacHash = createHmac("sha256", server.dev.secretKey).update("ada").digest("hex");
  assert.equal((await session({ subscriberId: "ada", firstName: "Eve", hmacHash })).body.data.profile.firstName, "Eve");

  const production = createHmac("sha256", server.prod.secretKey).update("ada").digest("hex");
  for (const [body, status, message] of [
    [{ subscriberId: "ada", applicationIdentifier: "none" }, 400, "Please provide a valid app identifier"],
    [{ subscriberId: "ada", applicationIdentifier: server.prod.applicationIdentifier }, 400, "Please provide a valid HMAC hash"],
    [{ subscriberId: "ada", applicationIdentifier: server.prod.applicationIdentifier, hmacHash }, 400, "Please provide a valid HMAC hash"],
    [{ subscriberId: "ada", applicationIdentifier: server.prod.applicationIdentifier, hmacHash: production }, 201],
    [{}, 422, /subscriberId/], [{ subscriberId: 1 }, 422, /subscriberId must be a string/],
    [{ subscriberId: "ada", firstName: 1 }, 422, /firstName must be a string/],
  ]) {
    const reply = await session(body);
    assert.equal(reply.status, status, reply.text);
    if (message) (message instanceof RegExp ? assert.match : assert.equal)(said(reply.body), message);
  }
});

test("the feed comes in pages, by state and payload; counts follow", async () => {
  const { call, ids, counts } = await person("reader", 3);
  const all = await call("GET", "/notifications/feed", undefined, 200);
  assert.deepEqual([all.totalCount, all.hasMore, all.pageSize, all.page], [3, false, 10, 0]);
  const newest = all.data[0];
  assert.equal(newest._id, ids[2]);
  assert.equal(newest.content, "No. 2");
  assert.deepEqual(newest.payload, { n: 2 });
  assert.deepEqual([newest.channel, newest.seen, newest.read, newest.archived, newest.deleted, newest.templateIdentifier, newest.subscriber.subscriberId],
    ["in_app", false, false, false, false, "bell", "reader"]);
  const page = await call("GET", "/notifications/feed?limit=2", undefined, 200);
  assert.deepEqual([page.data.length, page.totalCount, page.hasMore], [2, 2, true]);
  const last = await call("GET", "/notifications/feed?limit=2&page=1", undefined, 200);
  assert.deepEqual([last.data.map((m) => m._id), last.hasMore, last.page], [[ids[0]], false, 1]);
  const payload = Buffer.from(JSON.stringify({ n: 1 })).toString("base64");
  assert.deepEqual((await call("GET", `/notifications/feed?payload=${payload}`, undefined, 200)).data.map((m) => m._id), [ids[1]]);
  assert.equal((await call("GET", "/notifications/feed?payload=e", undefined, 400)).message, "Invalid payload, the JSON object should be encoded to base64 string.");
  assert.equal((await call("GET", "/notifications/feed?feedIdentifier=news", undefined, 200)).data.length, 0);
  await call("GET", "/notifications/feed?limit=101", undefined, 422);
  await call("GET", "/notifications/count?seen=perhaps", undefined, 422);

  assert.deepEqual(await counts(), [3, 3]);
  const marked = await call("POST", "/messages/markAs", { messageId: ids[0], mark: { seen: true } }, 201);
  assert.deepEqual(marked.data.map((m) => [m._id, m.seen, m.read]), [[ids[0], true, false]]);
  assert.deepEqual(await counts(), [2, 3]);
  const read = await call("POST", "/messages/mark-as", { messageId: [ids[1], ids[2]], markAs: "read" }, 201);
  assert.deepEqual(read.data.map((m) => [m.seen, m.read]), [[true, true], [true, true]]);
  assert.deepEqual(await counts(), [0, 1]);
  const count = async (query) => (await call("GET", `/notifications/count?${query}`, undefined, 200)).data.count;
  assert.deepEqual(await Promise.all(["", "seen=true", "read=true", "read=true&limit=1", "feedIdentifier=news"].map(count)), [3, 3, 2, 1, 0]);
  assert.deepEqual((await call("GET", "/notifications/feed?read=false", undefined, 200)).data.map((m) => m._id), [ids[0]]);
  await call("POST", "/messages/mark-as", { messageId: ids[2], markAs: "unread" }, 201);
  assert.deepEqual(await counts(), [0, 2]);
  assert.equal((await call("POST", "/messages/mark-as", { markAs: "read" }, 400)).message, "messageId is required");
  assert.match(said(await call("POST", "/messages/mark-as", { messageId: ids[0], markAs: "old" }, 422)), /markAs must be one of/);
});

test("all are marked, one, some or all are deleted", async () => {
  const { call, ids, counts } = await person("sweeper", 4);
  assert.equal((await call("POST", "/messages/seen", { feedId: "news" }, 201)).data, 0);
  assert.equal((await call("POST", "/messages/seen", {}, 201)).data, 4);
  assert.deepEqual(await counts(), [0, 4]);
  await call("POST", "/messages/mark-as", { messageId: ids[0], markAs: "read" }, 201);
  assert.equal((await call("POST", "/messages/read", undefined, 201)).data, 3, "those that changed");
  assert.deepEqual(await counts(), [0, 0]);
  await call("POST", "/messages/read", { feedId: 1 }, 422);

  const gone = await call("DELETE", `/messages/${ids[0]}`, undefined, 200);
  assert.deepEqual([gone.data._id, gone.data.deleted], [ids[0], true]);
  assert.equal((await call("DELETE", `/messages/${ids[0]}`, undefined, 404)).message, `Message with id ${ids[0]} not found`);
  await call("POST", "/messages/bulk/delete", { messageIds: [ids[1], "x"] }, 422);
  await call("POST", "/messages/bulk/delete", { messageIds: Array(101).fill(ids[1]) }, 422);
  await call("POST", "/messages/bulk/delete", {}, 422);
  assert.equal((await call("GET", "/notifications/feed")).data.length, 3, "a refused request deletes nothing");
  assert.equal((await call("POST", "/messages/bulk/delete", { messageIds: [ids[1], ids[2], ids[0]] }, 200)).data, 2);
  assert.equal(await call("DELETE", "/messages?feedId=news", undefined, 204), undefined);
  assert.equal((await call("GET", "/notifications/feed")).data.length, 1);
  assert.equal(await call("DELETE", "/messages", undefined, 204), undefined);
  assert.equal((await call("GET", "/notifications/feed")).data.length, 0);
});

test("a button is completed and reverted", async () => {
  const { call, ids } = await person("clicker", 1);
  const done = await call("POST", `/messages/${ids[0]}/actions/primary`, { status: "done", payload: {} }, 201);
  assert.equal(done.data.cta.action.status, "done");
  assert.equal((await call("POST", `/messages/${ids[0]}/actions/primary`, { status: "pending" }, 201)).data.cta.action.status, "pending");
  await call("POST", `/messages/${ids[0]}/actions/secondary`, { status: "done" }, 400);
  await call("POST", `/messages/${ids[0]}/actions/third`, { status: "done" }, 422);
});

test("preferences are read and changed in their older form", async () => {
  const { call } = await person("chooser");
  const find = (list) => list.find((p) => p.template.triggers[0].identifier === "bell");
  const before = find((await call("GET", "/preferences", undefined, 200)).data);
  assert.deepEqual([before.template.tags, before.template.critical, before.preference.channels], [["ring"], false, { email: true, in_app: true }]);
  const after = (await call("PATCH", `/preferences/${before.template._id}`, { channel: { type: "email", enabled: false } }, 200)).data;
  assert.deepEqual([after.template._id, after.preference.channels], [before.template._id, { email: false, in_app: true }]);
  assert.deepEqual(find((await call("GET", "/preferences/template", undefined, 200)).data).preference.channels, { email: false, in_app: true });
  const global = (await call("PATCH", "/preferences", { preferences: [{ type: "in_app", enabled: false }] }, 200)).data;
  assert.equal(global.preference.channels.in_app, false);
  assert.equal((await call("GET", "/preferences/global", undefined, 200)).data[0].preference.channels.in_app, false);
  await call("GET", "/preferences/other", undefined, 422);
  await call("PATCH", "/preferences/none", { channel: { type: "email", enabled: false } }, 404);
  await call("PATCH", `/preferences/${before.template._id}`, { channel: { type: "fax", enabled: false } }, 422);
});

test("the organisation, and what is told about use", async () => {
  const { call } = await person("guest");
  const { data } = await call("GET", "/organization", undefined, 200);
  assert.match(data._id, /^[0-9a-f]{24}$/);
  assert.equal(typeof data.name, "string");
  assert.equal(data.branding.direction, "ltr");
  assert.deepEqual(await call("POST", "/usage/log", { name: "[Feed] - Click", payload: {} }, 201), { data: { success: true } });
});

test("a token reaches its own messages only, in its own context", async () => {
  const [mine, theirs] = [await person("mine", 1), await person("theirs", 1)];
  await theirs.call("DELETE", `/messages/${mine.ids[0]}`, undefined, 404);
  assert.deepEqual((await theirs.call("POST", "/messages/mark-as", { messageId: mine.ids, markAs: "read" }, 201)).data, []);
  assert.equal((await theirs.call("POST", "/messages/bulk/delete", { messageIds: mine.ids }, 200)).data, 0);
  await theirs.call("POST", `/messages/${mine.ids[0]}/actions/primary`, { status: "done" }, 404);
  assert.deepEqual(await mine.counts(), [1, 1]);
  const inbox = await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier,
    subscriber: { subscriberId: "mine" }, context: { tenant: "acme" } }, { key: null });
  const elsewhere = (method, path, body) => fetch(`${server.url}/v1/widgets${path}`, { method, body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${inbox.body.data.token}`, "content-type": "application/json" } }).then((r) => r.json());
  assert.equal((await elsewhere("GET", "/notifications/feed")).data.length, 0);
  assert.equal((await elsewhere("GET", "/notifications/count")).data.count, 0);
  assert.deepEqual((await elsewhere("POST", "/messages/mark-as", { messageId: mine.ids, markAs: "read" })).data, []);
  assert.equal((await elsewhere("POST", "/messages/read", {})).data, 0);
  for (const path of ["/notifications/feed", "/notifications/count", "/preferences", "/organization"]) {
    const reply = await fetch(`${server.url}/v1/widgets${path}`, { headers: { origin: "https://shop.example" } });
    assert.deepEqual([reply.status, reply.headers.get("access-control-allow-origin")], [401, "*"], path);
  }
  await server.call("DELETE", "/v2/subscribers/theirs");
  await theirs.call("GET", "/notifications/feed", undefined, 401);
  await theirs.call("POST", "/usage/log", { name: "x" }, 401);
});
