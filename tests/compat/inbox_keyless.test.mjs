// An Inbox without application identifier: @novu/js 3.19.2 in its keyless mode, and who gets none.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Novu } from "@novu/js";
import { Carillon, freePort, until } from "./carillon.mjs";
import { api, listen } from "./clients.mjs";

const received = "notifications.notification_received";
const unread = "notifications.unread_count_changed";
const refused = "Keyless is not supported in community edition";

let server;
const open = [];
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
});
after(async () => {
  for (const client of open) await client.socket.disconnect();
  await server?.stop();
});
const ok = ({ data, error }) => {
  assert.equal(error, undefined, error?.originalError?.message ?? error?.message);
  return data;
};
/** The client of a page that has read nothing about keys; and what its session came to. */
async function keyless(more = {}, at = server) {
  const client = new Novu({ apiUrl: at.url, socketUrl: at.url, ...more });
  open.push(client);
  const { data, error } = await new Promise((resolve) => client.on("session.initialize.resolved", resolve));
  return { client, session: data, error };
}
const start = (body = {}, headers = {}, at = server) => at.call("POST", "/v1/inbox/session", body, { key: null, headers });
const as = (token, method, path, body) => server.call(method, path, body, { key: null, headers: { Authorization: `Bearer ${token}` } });
const hello = { name: "hello-world", to: { subscriberId: "keyless-subscriber-id" }, payload: {} };

test("the client without keys has an Inbox of its own, that lives and counts", async () => {
  const { client, session } = await keyless();
  assert.match(session.applicationIdentifier, /^pk_keyless_[0-9a-f]{24}_.{4}$/);
  assert.equal(session.isDevelopmentMode, true);
  const events = listen(client, received, unread);
  await events.connected;
  ok(await client.notifications.triggerHelloWorldEvent());
  const { result: message } = await events.next(received);
  assert.equal(message.subject, "Novu Keyless Environment");
  assert.match(message.body, /^You're using a keyless demo environment\./);
  assert.equal(message.to.subscriberId, "keyless-subscriber-id");
  assert.equal(message.workflow.identifier, "hello-world");
  assert.ok(message.primaryAction.label && message.primaryAction.redirect.url && message.secondaryAction.label);
  assert.equal((await events.next(unread)).result.total, 1);
  ok(await message.read());
  assert.equal((await events.next(unread)).result.total, 0);

  // The same page once more finds what it had; another page has another Inbox.
  const again = await keyless({ applicationIdentifier: session.applicationIdentifier });
  assert.equal(again.session.applicationIdentifier, session.applicationIdentifier);
  assert.equal(ok(await again.client.notifications.list({ useCache: false })).notifications[0].id, message.id);
  const other = await keyless();
  assert.notEqual(other.session.applicationIdentifier, session.applicationIdentifier);
  assert.equal(ok(await other.client.notifications.list()).notifications.length, 0);
});

test("the curl line that the empty Inbox shows works, and opens nothing else", async () => {
  const { client, session } = await keyless();
  const events = listen(client, received);
  await events.connected;
  const call = (method, path, body, identifier = session.applicationIdentifier) =>
    server.call(method, path, body, { key: null, headers: { Authorization: `Keyless ${identifier}` } });
  const answer = await call("POST", "/v1/events/trigger", { ...hello, payload: { body: "New From Keyless Environment" } });
  assert.equal(answer.status, 201, answer.text);
  const { result } = await events.next(received);
  assert.equal(result.body, "New From Keyless Environment");
  assert.equal(result.subject, "Hello");
  assert.equal(result.primaryAction, undefined);
  for (const path of ["/v1/environments", "/v2/subscribers", "/v2/workflows"]) assert.equal((await call("GET", path)).status, 401, path);
  for (const identifier of ["", "pk_keyless_none", server.dev.applicationIdentifier])
    assert.equal((await call("POST", "/v1/events/trigger", hello, identifier)).status, 401, identifier);
});

test("one triggers hello-world for oneself, and only in a demo environment", async () => {
  const { body: { data: { token } } } = await start();
  const refusals = [
    [{ ...hello, name: "other" }, 403, 'Inbox subscribers may only trigger the "hello-world" workflow.'],
    [{ ...hello, to: "somebody" }, 403, "Inbox subscribers may only trigger notifications for themselves."],
    [{ ...hello, to: [hello.to] }, 403, "Inbox subscribers may only trigger notifications for themselves."],
    [{ to: hello.to }, 422],
  ];
  for (const [body, status, message] of refusals) {
    const answer = await as(token, "POST", "/v1/inbox/events", body);
    assert.equal(answer.status, status, answer.text);
    if (message) assert.equal(answer.body.message, message);
  }
  const done = await as(token, "POST", "/v1/inbox/events", hello);
  assert.equal(done.status, 201);
  assert.equal(done.body.data.status, "processed");
  const { body } = await start({ applicationIdentifier: server.dev.applicationIdentifier, subscriber: "keyless-subscriber-id" });
  const elsewhere = await as(body.data.token, "POST", "/v1/inbox/events", hello);
  assert.equal(elsewhere.status, 403);
  assert.equal(elsewhere.body.message, "Inbox events can only be triggered from a keyless environment.");
});

test("nobody sees demo environments but those in them", async () => {
  const { session } = await keyless();
  const { body } = await server.call("GET", "/v1/environments");
  assert.deepEqual(body.data.map((e) => e.name), ["Development", "Production"]);
  const answer = await start({ applicationIdentifier: session.applicationIdentifier, subscriber: { subscriberId: "somebody" } });
  const claims = JSON.parse(Buffer.from(answer.body.data.token.split(".")[1], "base64url"));
  assert.equal(claims.subscriberId, "keyless-subscriber-id");
  await server.stop({ keep: true });
  await server.start();
  const { environments } = JSON.parse(readFileSync(join(server.dir, "credentials.json"), "utf8"));
  assert.deepEqual(environments.map((e) => e.name), ["Development", "Production"]);
});

test("after a day all of it is gone, and the page that comes back gets a new one", async () => {
  const { client, session } = await keyless();
  ok(await client.notifications.triggerHelloWorldEvent());
  await until(async () => ok(await client.notifications.list({ useCache: false })).notifications.length === 1, "the message");
  const move = async (advance) => assert.equal((await server.call("POST", "/v1/testing/clock", { advance })).status, 200);
  await move("PT23H59M");
  assert.equal((await start({ applicationIdentifier: session.applicationIdentifier })).body.data.applicationIdentifier, session.applicationIdentifier);
  await move("PT1M");
  const next = (await start({ applicationIdentifier: session.applicationIdentifier })).body.data;
  assert.match(next.applicationIdentifier, /^pk_keyless_/);
  assert.notEqual(next.applicationIdentifier, session.applicationIdentifier);
  // Housekeeping looks every ten minutes, while anybody calls.
  await move("PT11M");
  await until(async () => (await as(session.token, "GET", "/v1/inbox/notifications")).status === 401, "the end of the environment");
  assert.equal((await as(next.token, "GET", "/v1/inbox/notifications")).status, 200);
  assert.equal((await as(session.token, "POST", "/v1/inbox/events", hello)).status, 401);
});

test("it is for this machine alone, and can be switched off", async () => {
  const { status, body } = await start({ subscriber: { subscriberId: "x" } });
  assert.deepEqual([status, body.message], [422, "A valid application identifier is required when providing subscriber information"]);
  for (const header of ["X-Forwarded-For", "Forwarded", "X-Real-IP"]) {
    const answer = await start({}, { [header]: "203.0.113.9" });
    assert.deepEqual([answer.status, answer.body.message], [400, refused]);
  }
  const port = await freePort();
  for (const env of [{ CARILLON_KEYLESS: "off" }, { CARILLON_LISTEN: `127.0.0.1:${port},0.0.0.0:0` }]) {
    const other = await Carillon.start({ env, port });
    for (const body of [{}, { applicationIdentifier: "" }, { applicationIdentifier: "pk_keyless_5f0000000000000000000000_abcd" }]) {
      const answer = await start(body, {}, other);
      assert.deepEqual([answer.status, answer.body.message], [400, refused], answer.text);
    }
    const { error } = await keyless({}, other);
    assert.equal(error.status, 400);
    const trigger = await other.call("POST", "/v1/events/trigger", hello, { key: null, headers: { Authorization: "Keyless pk_keyless_x" } });
    assert.deepEqual([trigger.status, trigger.body.message], [400, refused]);
    await other.stop();
  }
});

test("there are only so many", async () => {
  const other = await Carillon.start();
  let answer;
  for (let i = 0; i < 101; i++) {
    answer = await start({}, {}, other);
    if (answer.status !== 201) break;
  }
  assert.equal(answer.status, 429);
  assert.match(answer.body.message, /^There are 100 demo environments already/);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.equal((await api(other).workflows.list({})).result.workflows.length, 0);
  await other.stop();
});
