// Outbound webhooks against a real HTTP sink: what is told, how it is signed, when it is tried again, and what is kept.
// The signature is verified by the library that customers use (standardwebhooks, which svix is built on).
import { after, before, beforeEach, describe, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
import { Carillon, until } from "./carillon.mjs";
import { ada, api } from "./clients.mjs";

const base = "/v2/outbound-webhooks";
let server, novu, sink, url;
let got = [];
let answer = (request, response) => response.end("ok");

before(async () => {
  sink = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const seen = { path: request.url, headers: request.headers, text: body, body: JSON.parse(body) };
    got.push(seen);
    answer(seen, response);
  }).listen(0, "127.0.0.1");
  await once(sink, "listening");
  url = `http://127.0.0.1:${sink.address().port}`;
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
});
after(async () => {
  await server?.stop();
  sink?.closeAllConnections();
  sink?.close();
});

const call = async (method, path, body, status) => {
  const reply = await server.call(method, base + path, body);
  assert.equal(reply.status, status, reply.text);
  return reply.body?.data ?? reply.body;
};
const post = (path, body, status) => call("POST", path, body, status);
const pass = (advance) => server.call("POST", "/v1/testing/clock", { advance });
const types = (list = got) => list.map((r) => r.body.type);
const arrived = (...wanted) => until(() => wanted.every((t) => types().includes(t)) && got, `${wanted} (there is ${types()})`);
const statusOf = (id) => call("GET", `/messages/${id}`, undefined, 200);

async function endpoint(more = {}) {
  const x = await post("/endpoints", { url, ...more }, 201);
  return { ...x, secret: (await call("GET", `/endpoints/${x._id}/secret`, undefined, 200)).secret };
}

beforeEach(async () => {
  for (const x of await call("GET", "/endpoints", undefined, 200)) await call("DELETE", `/endpoints/${x._id}`, undefined, 204);
  got = [];
  answer = (request, response) => response.end("ok");
});

async function workflow(workflowId, steps) {
  const { result } = await novu.workflows.create({ name: workflowId, workflowId, active: true, steps });
  return result;
}
const bell = [{ name: "Bell", type: "in_app", controlValues: { subject: "Hi", body: "secret words" } }];

describe("messages", () => {
  const keys = [
    "_id", "_templateId", "_environmentId", "_organizationId", "_notificationId", "_subscriberId", "subscriber", "actorSubscriber",
    "templateIdentifier", "createdAt", "updatedAt", "archivedAt", "archived", "transactionId", "channel", "seen", "read",
    "snoozedUntil", "deliveredAt", "providerId", "lastSeenDate", "firstSeenDate", "lastReadDate", "status", "errorId", "errorText",
    "providerResponseId",
  ];

  test("an in-app message is sent and delivered; the body has these members, is signed, and says no content", async () => {
    await workflow("bell", bell);
    const x = await endpoint({ description: "all", headers: { Authorization: "Bearer 1", "x-own": "2" } });
    await novu.trigger({ workflowId: "bell", to: ada, payload: { pin: "4711" }, transactionId: "t-bell" });
    await arrived("message.sent", "message.delivered");
    const sent = got.find((r) => r.body.type === "message.sent"), { headers, body } = sent;
    assert.deepEqual(Object.keys(body), ["id", "type", "object", "data", "timestamp", "environmentId"]);
    assert.match(body.id, /^evt_[0-9a-f]{24}$/);
    assert.equal(body.object, "message");
    assert.equal(body.environmentId, server.dev.applicationIdentifier ?? server.dev.identifier);
    assert.deepEqual(Object.keys(body.data), ["object"]);
    assert.deepEqual(Object.keys(body.data.object).sort(), [...keys].sort());
    assert.equal(body.data.object.subscriber.subscriberId, ada.subscriberId);
    assert.equal(body.data.object.transactionId, "t-bell");
    assert.equal(body.data.object.channel, "in_app");
    assert.equal(body.data.object.deliveredAt.length, 1);
    assert.ok(!sent.text.includes("secret words") && !sent.text.includes("4711"), sent.text);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers.authorization, "Bearer 1");
    assert.equal(headers["x-own"], "2");
    assert.match(headers["webhook-id"], /^msg_[0-9a-f]{24}$/);
    for (const name of ["id", "timestamp", "signature"]) assert.equal(headers[`svix-${name}`], headers[`webhook-${name}`]);
    assert.ok(!("carillon-hops" in headers));
    assert.deepEqual(new Webhook(x.secret).verify(sent.text, headers), body);
    assert.throws(() => new Webhook(x.secret).verify(sent.text + " ", headers));
  });

  test("what people do with a message is told, once for each change", async () => {
    await endpoint();
    const [message] = (await novu.messages.retrieve({ transactionId: ["t-bell"] })).result.data;
    const act = (what, body) => server.call("PATCH", `/v2/subscribers/${ada.subscriberId}/notifications/${message.id ?? message._id}/${what}`, body);
    for (const [what, type, more] of [
      ["read", "message.read"], ["read", null], ["unread", "message.unread"], ["archive", "message.archived"],
      ["unarchive", "message.unarchived"], ["snooze", "message.snoozed", { snoozeUntil: new Date(Date.now() + 30 * 86400_000).toISOString() }],
      ["unsnooze", "message.unsnoozed"],
    ]) {
      got = [];
      const { status, text } = await act(what, more);
      assert.ok(status < 300, `${what}: ${text}`);
      await pass("PT0.1S");
      assert.deepEqual(types(), type ? [type] : [], what);
      if (type) assert.equal(got[0].body.data.object._id, message.id ?? message._id);
    }
    got = [];
    await server.call("POST", `/v1/subscribers/${ada.subscriberId}/messages/mark-all`, { markAs: "unread" });
    await server.call("POST", `/v1/subscribers/${ada.subscriberId}/messages/mark-as`, { messageId: message.id ?? message._id, markAs: "read" });
    await pass("PT0.1S");
    assert.deepEqual(types().sort(), ["message.read", "message.unread"]);
    got = [];
    await act("snooze", { snoozeUntil: new Date(Date.now() + 20 * 86400_000).toISOString() });
    await pass("P21D");
    assert.deepEqual(types(), ["message.snoozed", "message.unsnoozed"]);
    got = [];
    assert.equal((await server.call("DELETE", "/v1/messages/transaction/t-bell")).status, 204);
    await arrived("message.deleted");
    assert.equal(got[0].body.data.object.subscriber.subscriberId, ada.subscriberId);
  });

  test("all at once is told of each, and what does not change is not", async () => {
    await workflow("bell-2", bell);
    for (let i = 0; i < 3; i++) await novu.trigger({ workflowId: "bell-2", to: "bulk", transactionId: `t-bulk-${i}` });
    await until(async () => (await novu.messages.retrieve({ subscriberId: "bulk" })).result.data.length === 3, "three messages");
    await endpoint({ eventTypes: ["message.seen", "message.archived", "message.read"] });
    const all = (what) => server.call("POST", `/v2/subscribers/bulk/notifications/${what}`, {});
    assert.ok((await all("read")).status < 300);
    await pass("PT0.1S");
    assert.deepEqual(types(), ["message.read", "message.read", "message.read"]);
    assert.ok((await all("read")).status < 300);
    await pass("PT0.1S");
    assert.equal(got.length, 3);
    assert.ok((await all("archive")).status < 300);
    await pass("PT0.1S");
    assert.equal(types().filter((t) => t === "message.archived").length, 3);
  });

  test("a mail that nobody takes is failed after its last attempt, not before, with the reason", async () => {
    await workflow("mail", [{ name: "Mail", type: "email", controlValues: { subject: "Hi", body: "<p>Hi</p>", editorType: "html" } }]);
    await server.call("POST", "/v1/integrations", {
      providerId: "nodemailer", channel: "email", name: "closed", identifier: "closed", active: true, check: false,
      credentials: { host: "127.0.0.1", port: "9", from: "shop@example.com", ignoreTls: true },
      configurations: { delivery: { attempts: 2, failover: false } },
    });
    await endpoint({ eventTypes: ["message.sent", "message.failed"] });
    await novu.trigger({ workflowId: "mail", to: ada, transactionId: "t-mail" });
    await until(async () => (await novu.notifications.list({ transactionId: "t-mail" })).result.data[0]?.jobs.at(-1).status === "delayed", "the first attempt");
    assert.deepEqual(types(), []);
    await pass("PT1H");
    await arrived("message.failed");
    assert.deepEqual(types(), ["message.failed"]);
    const { data } = got[0].body;
    assert.deepEqual(Object.keys(data), ["object", "error"]);
    assert.equal(data.object.status, "error");
    assert.equal(data.error.message, data.object.errorText);
    assert.match(data.error.message, /connect/i);
  });

  test("captured mail counts as sent", async () => {
    const { body } = await server.call("GET", "/v1/integrations");
    const closed = body.data.find((i) => i.identifier === "closed");
    await server.call("DELETE", `/v1/integrations/${closed._id}`);
    await endpoint();
    await novu.trigger({ workflowId: "mail", to: ada, transactionId: "t-mail-2" });
    await server.outbox("t-mail-2");
    await arrived("message.sent");
    assert.deepEqual(types(), ["message.sent"]);
    assert.equal(got[0].body.data.object.channel, "email");
  });
});

test("workflows: created, updated with what was before, deleted; and published into the other environment", async () => {
  await endpoint();
  const w = await workflow("told", bell);
  await arrived("workflow.created");
  assert.equal(got[0].body.object, "workflow");
  assert.equal(got[0].body.data.object.workflowId, "told");
  const shown = (await server.call("GET", "/v2/workflows/told")).body.data;
  assert.deepEqual(Object.keys(got[0].body.data.object).sort(), Object.keys(shown).sort());
  got = [];
  await server.call("PATCH", "/v2/workflows/told", { name: "Told again" });
  await arrived("workflow.updated");
  assert.equal(got[0].body.data.object.name, "Told again");
  assert.equal(got[0].body.data.previousObject.name, "told");
  got = [];
  const there = (method, path, body) => server.call(method, path, body, { key: server.prod.secretKey });
  const x = (await there("POST", `${base}/endpoints`, { url: `${url}/prod` })).body.data;
  for (let i = 0; i < 2; i++) {
    const reply = await server.call("PUT", "/v2/workflows/told/sync", { targetEnvironmentId: server.prod._id });
    assert.equal(reply.status, 200, reply.text);
  }
  await until(() => got.length === 2 && got, "two publications");
  assert.deepEqual(got.map((r) => [r.path, r.body.type, "previousObject" in r.body.data]),
    [["/prod", "workflow.published", false], ["/prod", "workflow.published", true]]);
  assert.equal(got[0].body.environmentId, server.prod.applicationIdentifier ?? server.prod.identifier);
  await there("DELETE", `${base}/endpoints/${x._id}`);
  got = [];
  await server.call("DELETE", `/v2/workflows/${w.id ?? w._id}`);
  await arrived("workflow.deleted");
  assert.deepEqual([got.length, got[0].body.data.object.workflowId], [1, "told"]);
});

test("preferences: one for each that was changed, as the Inbox shows them", async () => {
  await endpoint({ eventTypes: ["preference.updated"] });
  await server.call("PATCH", `/v2/subscribers/${ada.subscriberId}/preferences`, { channels: { email: false } });
  await server.call("PATCH", `/v2/subscribers/${ada.subscriberId}/preferences/bulk`, {
    preferences: [{ workflowId: "bell", channels: { in_app: false } }, { workflowId: "bell-2", channels: { in_app: true } }],
  });
  await until(() => got.length === 3 && got, "three changes");
  const of = (identifier) => got.find((r) => r.body.object === "preference" && r.body.data.object.workflow?.identifier === identifier).body.data.object;
  assert.deepEqual([of(undefined).level, of("bell").level, of("bell-2").level], ["global", "template", "template"]);
  assert.deepEqual([of(undefined).channels.email, of("bell").channels.in_app, of("bell-2").channels.in_app], [false, false, true]);
  await server.call("PATCH", `/v2/subscribers/${ada.subscriberId}/preferences`, { channels: { email: true, in_app: true } });
});

describe("delivery", () => {
  test("the schedule: now, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h; the same id each time; then it is given up", async () => {
    const x = await endpoint();
    answer = (request, response) => { response.statusCode = 503; response.end("closed for lunch"); };
    const { messageId } = await post(`/endpoints/${x._id}/test`, { eventType: "message.read" }, 202);
    await until(() => got.length === 1, "the first attempt");
    for (const [i, pause] of [5, 300, 1800, 7200, 18000, 36000, 36000].entries()) {
      await pass(`PT${pause - 1}S`);
      assert.equal(got.length, i + 1, `not before ${pause} s`);
      await pass("PT1.1S");
      assert.equal(got.length, i + 2, `after ${pause} s`);
    }
    await pass("P2D");
    assert.equal(got.length, 8);
    assert.equal(new Set(got.map((r) => r.headers["webhook-id"])).size, 1);
    assert.equal(got[0].headers["webhook-id"], messageId);
    const { deliveries } = await statusOf(messageId);
    assert.deepEqual(deliveries.map((d) => [d.status, d.attempts, d.nextAttemptAt]), [["failed", 8, null]]);
    const attempts = await server.call("GET", `${base}/endpoints/${x._id}/attempts?limit=5&messageId=${messageId}`);
    assert.equal(attempts.body.totalCount, 8);
    assert.equal(attempts.body.data.length, 5);
    assert.deepEqual([attempts.body.data[0].attempt, attempts.body.data[0].responseStatusCode, attempts.body.data[0].response, attempts.body.data[0].status],
      [8, 503, "closed for lunch", "failed"]);
    assert.equal((await server.call("GET", `${base}/endpoints/${x._id}/attempts?status=succeeded`)).body.totalCount, 0);

    answer = (request, response) => { response.statusCode = 204; response.end(); };
    await post(`/endpoints/${x._id}/recover`, { since: new Date(0).toISOString() }, 202);
    await until(() => got.length === 9, "the recovery");
    await until(async () => (await statusOf(messageId)).deliveries[0].status === "delivered", "its success");
    await post(`/endpoints/${x._id}/messages/${messageId}/resend`, {}, 202);
    await until(() => got.length === 10, "the resending");
    assert.equal((await post(`/endpoints/${x._id}/recover`, { since: new Date(0).toISOString() }, 202)).count, 0);
  });

  test("a redirect is not followed, and is no success; nor is a closed port", async () => {
    const x = await endpoint();
    answer = (request, response) => {
      response.writeHead(request.path === "/there" ? 200 : 302, { Location: `${url}/there` });
      response.end();
    };
    await post(`/endpoints/${x._id}/test`, { eventType: "message.sent" }, 202);
    const first = await until(async () => (await server.call("GET", `${base}/endpoints/${x._id}/attempts`)).body.data[0], "an attempt");
    assert.deepEqual([first.responseStatusCode, first.status], [302, "failed"]);
    assert.equal(got.length, 1);
    await call("PATCH", `/endpoints/${x._id}`, { url: "http://127.0.0.1:9/" }, 200);
    await pass("PT6S");
    const second = (await server.call("GET", `${base}/endpoints/${x._id}/attempts`)).body.data[0];
    assert.deepEqual([second.attempt, second.responseStatusCode, second.status], [2, null, "failed"]);
    assert.match(second.error, /connect/i);
  });

  test("five days of nothing but failures disable an endpoint; by hand it takes again", async () => {
    const x = await endpoint();
    answer = (request, response) => { response.statusCode = 500; response.end(); };
    for (let day = 0; day < 6; day++) {
      await server.call("POST", `${base}/endpoints/${x._id}/test`, { eventType: "message.sent" });
      await pass("P1D");
    }
    const given = await call("GET", `/endpoints/${x._id}`, undefined, 200);
    assert.deepEqual([given.disabled, given.disabledReason], [true, "failing"]);
    const before_ = got.length;
    await novu.trigger({ workflowId: "bell-2", to: "bulk", transactionId: "t-disabled" });
    await pass("P1D");
    assert.equal(got.length, before_);
    await post(`/endpoints/${x._id}/test`, { eventType: "message.sent" }, 400);
    answer = (request, response) => response.end();
    const on = await call("PATCH", `/endpoints/${x._id}`, { disabled: false }, 200);
    assert.deepEqual([on.disabled, on.disabledReason, on.failingSince], [false, null, null]);
    const { count } = await post(`/endpoints/${x._id}/replay-missing`, { since: new Date(0).toISOString() }, 202);
    await until(() => got.length === before_ + count, "all that was missed");
    assert.ok(got.slice(before_).some((r) => r.body.data.object.transactionId === "t-disabled"));
    assert.equal((await post(`/endpoints/${x._id}/replay-missing`, { since: new Date(0).toISOString() }, 202)).count, 0);
  });

  test("while a secret is replaced both sign; a day later only the new one", async () => {
    const x = await endpoint();
    await post(`/endpoints/${x._id}/secret/rotate`, {}, 200);
    const { secret, oldSecretValidUntil } = await call("GET", `/endpoints/${x._id}/secret`, undefined, 200);
    assert.notEqual(secret, x.secret);
    assert.ok(oldSecretValidUntil);
    await post(`/endpoints/${x._id}/test`, { eventType: "message.sent" }, 202);
    await until(() => got.length === 1, "the message");
    for (const key of [secret, x.secret]) new Webhook(key).verify(got[0].text, got[0].headers);
    await pass("P1DT1S");
    await post(`/endpoints/${x._id}/test`, { eventType: "message.sent" }, 202);
    await until(() => got.length === 2, "the next");
    new Webhook(secret).verify(got[1].text, got[1].headers);
    assert.throws(() => new Webhook(x.secret).verify(got[1].text, got[1].headers));
  });

  test("an endpoint that hangs holds up no other", async () => {
    const held = [];
    const slow = await endpoint({ url: `${url}/slow` });
    await endpoint({ url: `${url}/fast` });
    answer = (request, response) => (request.path === "/slow" ? held.push(response) : response.end());
    for (let i = 0; i < 40; i++) await novu.trigger({ workflowId: "bell-2", to: "bulk", transactionId: `t-slow-${i}` });
    await until(() => got.filter((r) => r.path === "/fast").length === 80, "all at the fast one");
    assert.equal(held.length, 8, "only so many of the slow one are under way");
    answer = (request, response) => response.end();
    held.forEach((response) => response.end());
    await until(() => got.filter((r) => r.path === "/slow").length === 80, "all at the slow one in the end");
    await call("DELETE", `/endpoints/${slow._id}`, undefined, 204);
  });

  test("a rate limit is kept", async () => {
    await endpoint({ rateLimit: 2, eventTypes: ["message.sent"] });
    for (let i = 0; i < 5; i++) await novu.trigger({ workflowId: "bell-2", to: "bulk", transactionId: `t-rate-${i}` });
    await until(async () => (await novu.notifications.list({ transactionId: "t-rate-4" })).result.data[0]?.jobs.at(-1).status === "completed", "the runs");
    await pass("PT0.1S");
    const n = got.length;
    assert.ok(n >= 1 && n <= 2, `${n}`);
    await pass("PT0.5S");
    assert.ok(got.length <= n + 1, `${got.length}`);
    await pass("PT5S");
    assert.equal(got.length, 5);
  });
});

test("what still has to go survives the kill of the process", async () => {
  const x = await endpoint();
  answer = (request, response) => { response.statusCode = 500; response.end(); };
  await post(`/endpoints/${x._id}/test`, { eventType: "message.sent" }, 202);
  await until(async () => (await server.call("GET", `${base}/endpoints/${x._id}/attempts`)).body.data.length === 1, "the attempt");
  await server.kill();
  answer = (request, response) => response.end();
  server.port = undefined;
  await server.start();
  novu = api(server);
  await pass("P60D");              // the clock began again at the real time
  await until(() => got.length === 2, "the second attempt");
  assert.equal(got[1].headers["webhook-id"], got[0].headers["webhook-id"]);
});

describe("endpoints", () => {
  test("bad input is refused by name and changes nothing", async () => {
    const x = await endpoint();
    for (const [body, says] of [
      [{ url: "ftp://example.com" }, "url"],
      [{ url: "http://169.254.169.254/latest" }, "url"],
      [{ url: "" }, "url should not be empty"],
      [{ url: 5 }, "url must be a string"],
      [{ url: `http://example.com/${"x".repeat(2048)}` }, "url must be shorter"],
      [{ eventTypes: ["message.opened"] }, "each value in eventTypes must be one of the following values: workflow.created, "],
      [{ eventTypes: "message.sent" }, "eventTypes must be an array"],
      [{ rateLimit: 0 }, "rateLimit must be a whole number from 1 to 10000, or null"],
      [{ rateLimit: 1.5 }, "rateLimit must be"],
      [{ headers: { "bad name": "x" } }, 'headers: "bad name" is not a header name'],
      [{ headers: { "Webhook-Id": "x" } }, 'headers: "Webhook-Id" is set by the server'],
      [{ headers: { host: "x" } }, 'headers: "host" is set by the server'],
      [{ headers: { a: "1\r\nb: 2" } }, "headers.a must be one line"],
      [{ headers: { a: 1 } }, "headers.a must be a string"],
      [{ secret: "whsec_c2hvcnQ=" }, 'secret must be "whsec_" followed by 24 to 64 bytes in base64'],
      [{ disabled: "no" }, "disabled must be a boolean"],
      [{ description: "x".repeat(1001) }, "description must be shorter"],
    ]) {
      for (const [method, path, given] of [["PATCH", `/endpoints/${x._id}`, body], ["POST", "/endpoints", { url, ...body }]]) {
        const { status, text } = await server.call(method, base + path, given);
        assert.equal(status, 422, text);
        assert.ok(JSON.parse(text).errors && text.includes(JSON.stringify(says).slice(1, -1)), text);
      }
    }
    assert.equal((await server.call("POST", `${base}/endpoints`, {})).status, 422);
    const { secret, ...rest } = x;
    assert.deepEqual(await call("GET", "/endpoints", undefined, 200), [rest]);
    assert.equal((await server.call("GET", `${base}/endpoints/65f0c2a1b3d4e5f6ffffffff`)).status, 404);
    assert.equal((await server.call("GET", `${base}/endpoints/nonsense`)).status, 404);
    for (const body of [{}, { since: "yesterday" }, { since: 5 }]) await post(`/endpoints/${x._id}/recover`, body, 422);
    await post(`/endpoints/${x._id}/test`, { eventType: "nothing" }, 422);
    await post(`/endpoints/${x._id}/messages/msg_65f0c2a1b3d4e5f6ffffffff/resend`, {}, 404);
    assert.equal((await server.call("GET", `${base}/messages?eventType=x`)).status, 422);
    assert.equal((await server.call("GET", `${base}/endpoints/${x._id}/attempts?status=maybe`)).status, 422);
  });

  test("header values are shown to nobody and kept where the mask comes back", async () => {
    const x = await endpoint({ headers: { "x-a": "one", "x-b": "two" }, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
    assert.equal(x.secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert.deepEqual(x.headers, { "x-a": "********", "x-b": "********" });
    const y = await call("PATCH", `/endpoints/${x._id}`, { headers: { "x-a": "********", "x-c": "three" } }, 200);
    assert.deepEqual(y.headers, { "x-a": "********", "x-c": "********" });
    await post(`/endpoints/${x._id}/test`, { eventType: "message.sent" }, 202);
    await until(() => got.length === 1, "the message");
    assert.deepEqual([got[0].headers["x-a"], got[0].headers["x-b"], got[0].headers["x-c"]], ["one", undefined, "three"]);
  });

  test("no more than 50", async () => {
    for (let i = 0; i < 50; i++) await post("/endpoints", { url, disabled: true }, 201);
    const reply = await server.call("POST", `${base}/endpoints`, { url });
    assert.deepEqual([reply.status, reply.body.message], [400, "An environment cannot have more than 50 webhook endpoints"]);
  });

  test("every type has an example of the form that is sent", async () => {
    const catalogue = await call("GET", "/event-types", undefined, 200);
    assert.equal(catalogue.length, 19);
    const x = await endpoint();
    for (const { eventType, example } of catalogue) {
      got = [];
      await post(`/endpoints/${x._id}/test`, { eventType }, 202);
      await until(() => got.length === 1, eventType);
      assert.equal(got[0].body.type, eventType);
      assert.deepEqual(got[0].body.data, example.data);
    }
    got = [];
    await novu.trigger({ workflowId: "bell", to: ada, payload: { pin: "4711" } });
    await arrived("message.sent");
    const real = await server.call("GET", `${base}/messages?limit=100&eventType=message.sent`);
    const sent = real.body.data.find((m) => !m.test).payload, example = catalogue.find((t) => t.eventType === "message.sent").example;
    assert.deepEqual(Object.keys(example), Object.keys(sent));
    assert.deepEqual(Object.keys(example.data.object).sort(), Object.keys(sent.data.object).sort());
  });

  test("who has no endpoint leaves no trace", async () => {
    const count = async () => (await server.call("GET", `${base}/messages`)).body.totalCount;
    const before_ = await count();
    await novu.trigger({ workflowId: "bell-2", to: "bulk", transactionId: "t-none" });
    await until(async () => (await novu.notifications.list({ transactionId: "t-none" })).result.data[0]?.jobs.at(-1).status === "completed", "the run");
    assert.equal(await count(), before_);
  });

  test("the portal of the original is for sessions only", async () => {
    assert.equal((await server.call("GET", `${base}/portal/token`)).status, 401);
  });
});
