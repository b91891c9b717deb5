// Channel connections and endpoints with the real client.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  await novu.integrations.create({ providerId: "slack", channel: "chat", identifier: "slack-1", active: true, credentials: {} });
  await novu.subscribers.create({ subscriberId: "ada" });
});
after(() => server.stop());

const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status);
    assert.match(JSON.parse(error.body).message, message);
    return true;
  });
const workspace = { id: "T1", name: "Acme" };
const auth = { accessToken: "xoxb-canary-token" };

test("a connection belongs to a subscriber or to a context, once each", async () => {
  const made = (await novu.channelConnections.create({ integrationIdentifier: "slack-1", subscriberId: "ada", workspace, auth })).result;
  assert.match(made.identifier, /^chconn_[0-9a-zA-Z]{12}$/);
  assert.equal(made.channel, "chat");
  assert.equal(made.providerId, "slack");
  assert.equal(made.subscriberId, "ada");
  assert.deepEqual(made.contextKeys, []);
  assert.equal(made.auth.accessToken, auth.accessToken);
  await fails(novu.channelConnections.create({ integrationIdentifier: "slack-1", subscriberId: "ada", workspace, auth }), 409, /already exists for integration "slack-1"/);
  const shared = (
    await novu.channelConnections.create({
      identifier: "acme-slack",
      integrationIdentifier: "slack-1",
      connectionMode: "shared",
      context: { tenant: "acme", app: { id: "web", data: { a: 1 } } },
      workspace,
      auth,
    })
  ).result;
  assert.deepEqual(shared.contextKeys, ["app:web", "tenant:acme"]);
  assert.equal(shared.subscriberId, null);
  const changed = (await novu.channelConnections.update({ workspace: { id: "T2" }, auth: { accessToken: "new" } }, "acme-slack")).result;
  assert.equal(changed.workspace.id, "T2");
  assert.equal((await novu.channelConnections.retrieve("acme-slack")).result.auth.accessToken, "new");
});

test("connections are listed by every filter", async () => {
  const ids = async (query) => (await novu.channelConnections.list(query)).result.data.map((c) => c.identifier);
  assert.equal((await ids({})).length, 2);
  assert.deepEqual(await ids({ connectionMode: "shared" }), ["acme-slack"]);
  assert.equal((await ids({ connectionMode: "subscriber" })).length, 1);
  assert.deepEqual(await ids({ contextKeys: ["tenant:acme", "app:web"] }), ["acme-slack"]);
  assert.equal((await ids({ subscriberId: "ada" })).length, 1);
  assert.deepEqual(await ids({ providerId: "discord" }), []);
  assert.equal((await ids({ channel: "chat", integrationIdentifier: "slack-1", limit: 1 })).length, 1);
  const page = (await novu.channelConnections.list({ limit: 1 })).result;
  assert.equal(page.totalCount, 2);
  assert.ok(page.next);
});

test("an endpoint names where to deliver; its kind decides what it needs", async () => {
  const made = (
    await novu.channelEndpoints.create({
      subscriberId: "ada",
      integrationIdentifier: "slack-1",
      connectionIdentifier: "acme-slack",
      type: "slack_user",
      endpoint: { userId: "U1" },
    })
  ).result;
  assert.match(made.identifier, /^chendp_/);
  assert.deepEqual(made.endpoint, { userId: "U1" });
  assert.equal(made.connectionIdentifier, "acme-slack");
  const changed = (await novu.channelEndpoints.update({ endpoint: { userId: "U2" } }, made.identifier)).result;
  assert.deepEqual(changed.endpoint, { userId: "U2" });
  const found = (await novu.channelEndpoints.list({ subscriberId: "ada", connectionIdentifier: "acme-slack" })).result;
  assert.deepEqual(found.data.map((e) => e.identifier), [made.identifier]);
  const base = { integrationIdentifier: "slack-1", type: "slack_channel", endpoint: { channelId: "C1" } };
  await fails(novu.channelEndpoints.create({ ...base, subscriberId: "nobody" }), 404, /^Subscriber not found: nobody\. Pass createSubscriberIfMissing: true/);
  await fails(novu.channelEndpoints.create({ ...base, subscriberId: "ada", connectionIdentifier: "none" }), 404, /^Channel connection not found: none$/);
  await fails(novu.channelEndpoints.create({ ...base, subscriberId: "ada", integrationIdentifier: "none" }), 404, /^Integration not found: none$/);
  await novu.channelEndpoints.create({ ...base, subscriberId: "grace", createSubscriberIfMissing: true });
  assert.equal((await novu.subscribers.retrieve("grace")).result.subscriberId, "grace");
  for (const [type, endpoint, message] of [
    ["slack_user", {}, "endpoint.userId must be a non-empty string"],
    ["webhook", { url: "ftp://x" }, "endpoint.url must be a URL address"],
    ["webex_person", {}, "endpoint must have personId or personEmail"],
    ["opsgenie_integration", { apiKey: "k", region: "mars" }, "endpoint.region must be one of the following values: us, eu"],
    ["pigeon", {}, /^type must be one of/],
  ]) {
    const answer = await server.call("POST", "/v1/channel-endpoints", { ...base, subscriberId: "ada", type, endpoint });
    assert.equal(answer.status, 422);
    assert.ok(answer.body.errors.general.messages.some((m) => (message instanceof RegExp ? message.test(m) : m === message)), answer.text);
  }
});

test("what is deleted is gone; what is another environment's is not there; tokens are not in the logs", async () => {
  const there = api(server, server.prod);
  await fails(there.channelConnections.retrieve("acme-slack"), 404, /^Channel connection not found: acme-slack$/);
  await fails(there.channelConnections.delete("acme-slack"), 404, /not found/);
  await novu.channelConnections.delete("acme-slack");
  await fails(novu.channelConnections.retrieve("acme-slack"), 404, /not found/);
  await fails(novu.channelConnections.create({ integrationIdentifier: "slack-1", workspace, auth }), 400, /^Either subscriberId or context must be provided$/);
  assert.equal((await novu.channelEndpoints.list({ subscriberId: "ada" })).result.data.length, 1);
  assert.ok(!server.log.includes("canary"));
});

test("a chat step reaches the endpoints of its context; an override replaces one; those without a connection are left out", async () => {
  const staging = await Carillon.start({ env: { CARILLON_CAPTURE_DELIVERIES: "on" } });
  try {
    const client = api(staging);
    await client.integrations.create({ providerId: "slack", channel: "chat", identifier: "slack-1", active: true, credentials: {} });
    await client.subscribers.create({ subscriberId: "ada" });
    const context = { tenant: "acme" };
    const make = (identifier, endpoint, more = {}) =>
      client.channelEndpoints.create({ identifier, subscriberId: "ada", integrationIdentifier: "slack-1", type: "slack_user", endpoint, ...more });
    await make("no-connection", { userId: "U0" });
    await client.channelConnections.create({ integrationIdentifier: "slack-1", connectionMode: "shared", context, workspace, auth });
    await make("dm", { userId: "U1" }, { context });
    await make("second", { userId: "U2" }, { context });
    await client.workflows.create({ name: "Chat", workflowId: "chat", active: true, steps: [{ name: "Chat", type: "chat", controlValues: { body: "hello {{payload.x}}" } }] });
    const sent = async (transactionId) => {
      const out = await staging.call("GET", `/v1/outbox?channel=chat&transactionId=${transactionId}`);
      return out.body.data.map((m) => m.to ?? m.recipient).sort();
    };
    await client.trigger({ workflowId: "chat", to: "ada", context, payload: { x: 1 }, transactionId: "t1" });
    assert.deepEqual(await sent("t1"), ["U1", "U2"]);
    await client.trigger({ workflowId: "chat", to: "ada", context, transactionId: "t2", overrides: { chat: { dm: { endpoint: { userId: "U9" } } } } });
    assert.deepEqual(await sent("t2"), ["U2", "U9"]);
    const plain = await client.trigger({ workflowId: "chat", to: "ada", transactionId: "t3" });
    assert.ok(!(await sent("t3")).includes("U0"), JSON.stringify(plain));
  } finally {
    await staging.stop();
  }
});

test("a trigger's channels join those that its recipient has", async () => {
  await novu.integrations.create({ providerId: "fcm", channel: "push", identifier: "fcm-1", active: true, check: false, credentials: {} });
  await novu.workflows.create({ name: "Join", workflowId: "join", active: true, steps: [{ name: "In", type: "in_app", controlValues: { body: "b" } }] });
  await novu.subscribers.create({ subscriberId: "joan" });
  await novu.subscribers.credentials.update({ providerId: "slack", credentials: { webhookUrl: "https://hook.example/joan" } }, "joan");
  const send = (channels) => novu.trigger({ workflowId: "join", to: { subscriberId: "joan", channels }, transactionId: `join-${channels.length}-${channels[0].credentials.deviceTokens}` });
  const stored = async () => {
    const { channels } = (await novu.subscribers.retrieve("joan")).result;
    return Object.fromEntries(channels.map((c) => [c.integrationIdentifier, c.credentials.deviceTokens ?? c.credentials.webhookUrl]));
  };
  const becomes = (wanted) => until(async () => JSON.stringify(Object.entries(await stored()).sort()) === JSON.stringify(Object.entries(wanted).sort()), JSON.stringify(wanted));
  await send([{ providerId: "fcm", credentials: { deviceTokens: ["one"] } }]);
  await becomes({ "slack-1": "https://hook.example/joan", "fcm-1": ["one"] });
  await send([{ providerId: "fcm", integrationIdentifier: "fcm-1", credentials: { deviceTokens: ["two"] } }]);
  await becomes({ "slack-1": "https://hook.example/joan", "fcm-1": ["one", "two"] });
  await send([{ providerId: "fcm", credentials: { deviceTokens: ["one"] } }, { providerId: "fcm", credentials: { deviceTokens: Array.from({ length: 100 }, (_, i) => `d${i}`) } }]);
  await send([{ providerId: "fcm", credentials: { deviceTokens: ["three"] } }]);
  await becomes({ "slack-1": "https://hook.example/joan", "fcm-1": ["one", "two", "three"] });
});

// Upstream: apps/api/src/app/channel-endpoints/e2e/create-channel-endpoint.e2e.ts and update-channel-endpoint.e2e.ts.
test("a kind of endpoint belongs to its provider; what is reached through a connection shares its context", async () => {
  const fresh = await Carillon.start();
  try {
    for (const [providerId, channel, identifier] of [["slack", "chat", "slack"], ["webex-messaging", "chat", "webex"], ["opsgenie", "tool", "ops"],
      ["pagerduty", "tool", "pd"], ["tool-webhook", "tool", "tool"]])
      await fresh.call("POST", "/v1/integrations", { providerId, channel, identifier, active: true, credentials: {} });
    for (const subscriberId of ["ada", "bob"]) await fresh.call("POST", "/v2/subscribers", { subscriberId });
    const connect = async (integrationIdentifier, more) => (await fresh.call("POST", "/v1/channel-connections",
      { integrationIdentifier, subscriberId: "ada", workspace: { id: "T" }, auth: { accessToken: "x" }, ...more })).body.data.identifier;
    const slack = await connect("slack"), webex = await connect("webex");
    const key = "a1b2c3d4-e5f6-4321-9876-543210fedcba";
    const room = { type: "webex_room", endpoint: { roomId: "R" } }, ops = { type: "opsgenie_integration", endpoint: { apiKey: key, region: "us" } };
    const pager = { type: "pagerduty_service", endpoint: { routingKey: "R0123456789abcdef0123456789abcde", region: "us" } };
    const hook = { type: "tool_webhook", endpoint: { url: "https://example.com/x" } };
    for (const [integrationIdentifier, more, status, message] of [
      ["slack", { ...room, connectionIdentifier: slack }, 400, 'Channel endpoint type "webex_room" requires a Webex Messaging integration'],
      ["webex", room, 400, 'Channel endpoint type "webex_room" requires a connectionIdentifier'],
      ["webex", { ...room, connectionIdentifier: slack }, 404, `Channel connection not found: ${slack}`],
      ["webex", { ...room, connectionIdentifier: webex, context: { tenant: "acme" } }, 400, `Webex endpoint context must match channel connection "${webex}" context`],
      ["webex", { ...room, connectionIdentifier: webex }, 201],
      ["slack", { type: "slack_user", endpoint: { userId: "U" }, connectionIdentifier: webex }, 404, `Channel connection not found: ${webex}`],
      ["slack", ops, 400, 'Channel endpoint type "opsgenie_integration" requires an Opsgenie integration'],
      ["slack", pager, 400, 'Channel endpoint type "pagerduty_service" requires a PagerDuty integration'],
      ["slack", hook, 400, 'Channel endpoint type "tool_webhook" requires a Tool webhook integration'],
      ["ops", { ...ops, endpoint: { apiKey: "not-a-uuid", region: "us" } }, 422],
      ["ops", { ...ops, connectionIdentifier: slack }, 201],
      ["ops", ops, 409, 'Opsgenie endpoint already exists for subscriber "ada" on integration "ops"'],
      ["ops", { ...ops, context: { tenant: "acme" } }, 201],
      ["ops", { ...ops, subscriberId: "bob" }, 201],
      ["pd", pager, 201],
      ["pd", pager, 409, 'PagerDuty endpoint already exists for subscriber "ada" on integration "pd"'],
      ["tool", hook, 201],
      ["tool", hook, 201],
    ]) {
      const answer = await fresh.call("POST", "/v1/channel-endpoints", { integrationIdentifier, subscriberId: "ada", ...more });
      assert.equal(answer.status, status, `${integrationIdentifier} ${JSON.stringify(more)} ${answer.text}`);
      if (message) assert.equal(answer.body.message, message);
    }
    const { data } = (await fresh.call("GET", "/v1/channel-endpoints?integrationIdentifier=ops&subscriberId=bob")).body;
    assert.deepEqual([data[0].connectionIdentifier, data[0].endpoint], [null, { apiKey: key, region: "us" }]);
    const change = (endpoint) => fresh.call("PATCH", `/v1/channel-endpoints/${data[0].identifier}`, { endpoint });
    const bad = await change({ apiKey: "not-a-uuid", region: "us" });
    assert.deepEqual([bad.status, bad.body.message], [400, "endpoint.apiKey must be a UUID"]);
    const rotated = await change({ apiKey: key.replace("a1", "f9"), region: "eu" });
    assert.deepEqual([rotated.status, rotated.body.data.endpoint], [200, { apiKey: key.replace("a1", "f9"), region: "eu" }]);
  } finally {
    await fresh.stop();
  }
});
