// What providers report about messages, with the real client and without a key.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, push, environmentId;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  push = await integration("push-webhook", "push", { inboundWebhookEnabled: true });
  environmentId = push._environmentId;
  await novu.workflows.create({ name: "Push", workflowId: "push", active: true, steps: [{ name: "Push", type: "push", controlValues: { subject: "Hi", body: "Ho" } }] });
  await novu.subscribers.create({ subscriberId: "ada" });
  await server.call("PUT", "/v1/subscribers/ada/credentials", { providerId: "push-webhook", credentials: { deviceTokens: ["d1"] } });
});
after(() => server?.stop());

// The client's schema of configurations has no members: what it does not know it leaves out.
async function integration(providerId, channel, configurations) {
  const { status, body, text } = await server.call("POST", "/v1/integrations", { providerId, channel, identifier: providerId, active: true, credentials: {}, configurations });
  assert.equal(status, 201, text);
  return body.data;
}
const place = (integration, environment = environmentId) => `/v2/inbound-webhooks/delivery-providers/${environment}/${integration}`;
const post = (path, body, headers) => server.call("POST", path, body, { key: null, headers });

test("a report moves its message forward, once", async () => {
  await novu.trigger({ workflowId: "push", to: "ada", transactionId: "t1" });
  const message = await until(async () => (await server.call("GET", "/v1/messages?transactionId=t1")).body.data?.[0], "the message");
  const report = (eventType) => novu.activity.track({ environmentId, integrationId: push._id, requestBody: { eventId: message._id, eventType } });
  const [told] = await report("delivered");
  assert.deepEqual([told.id, told.event.status, told.event.attempts], [message._id, "delivered", 1]);
  assert.deepEqual(JSON.parse(told.event.row), { eventId: message._id, eventType: "delivered" });
  const details = async () => {
    const { body } = await server.call("GET", "/v1/notifications?transactionId=t1");
    return body.data[0].jobs.flatMap((job) => job.executionDetails.map((d) => d.detail)).filter((d) => /^Message (delivered|opened|was not)/.test(d));
  };
  assert.deepEqual(await details(), ["Message delivered"]);
  await report("delivered");
  await report("opened");
  await report("failed");
  assert.deepEqual(await details(), ["Message delivered", "Message opened"], "told once, and not taken back");
  const { deliveredAt } = (await server.call("GET", "/v1/messages?transactionId=t1")).body.data[0];
  assert.equal(deliveredAt.length, 1);
});

test("a loss is the message's error", async () => {
  await novu.trigger({ workflowId: "push", to: "ada", transactionId: "t2" });
  const message = await until(async () => (await server.call("GET", "/v1/messages?transactionId=t2")).body.data?.[0], "the message");
  const { status, body } = await post(place(push._id), { eventId: message._id, eventType: "failed" });
  assert.deepEqual([status, body.data.length], [200, 1]);
  const after_ = (await server.call("GET", "/v1/messages?transactionId=t2")).body.data[0];
  assert.deepEqual([after_.status, after_.errorId, after_.errorText], ["error", "provider_failed", "failed"]);
});

test("unknown events and messages say nothing; unknown ids and closed integrations are not there", async () => {
  const nobody = "65f0c2a1b3d4e5f6ffffffff";
  assert.deepEqual((await post(place(push._id), { eventId: nobody, eventType: "delivered" })).body, { data: [] });
  assert.deepEqual((await post(place(push._id), { eventId: nobody, eventType: "sneezed" })).body, { data: [] });
  assert.equal((await post(place(push._id), "hello", { "Content-Type": "text/plain" })).status, 400);
  const closed = await integration("mailjet", "email", {});
  const silent = await integration("discord", "chat", { inboundWebhookEnabled: true });
  for (const path of [place(nobody), place("x"), place(push._id, nobody), place(closed._id)]) {
    const { status, body } = await post(path, {});
    assert.equal(status, 404);
    assert.match(body.message, /^Integration for \w+ was not found$/);
  }
  assert.equal((await post(place(silent._id), {})).body.message, "Provider with discord can not handle webhooks");
});

test("who signs must sign well", async () => {
  const mailgun = await integration("mailgun", "email", { inboundWebhookEnabled: true, inboundWebhookSigningKey: "key" });
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = createHmac("sha256", "key").update(`${timestamp}tok`).digest("hex");
  const body = { signature: { timestamp, token: "tok", signature }, "event-data": { event: "delivered", message: { headers: { "message-id": "a@b" } } } };
  assert.deepEqual((await post(place(mailgun._id), body)).body, { data: [] });
  assert.equal((await post(place(mailgun._id), { ...body, signature: { ...body.signature, token: "other" } })).status, 401);
  assert.equal((await post(place(mailgun._id), { "event-data": body["event-data"] })).status, 401);
});

test("triggers of one moment are listed in their order, whether for one person or for several", async () => {
  await novu.subscribers.create({ subscriberId: "eve" });
  const order = [];
  for (let i = 0; i < 8; i++) {
    order.unshift(`order-${i}`);
    await novu.trigger({ workflowId: "push", to: i % 2 ? ["ada", "eve"] : "ada", transactionId: order[0] });
  }
  const { body } = await server.call("GET", "/v1/notifications?subscriberIds=ada&limit=8");
  assert.deepEqual(body.data.map((n) => n.transactionId), order);
});
