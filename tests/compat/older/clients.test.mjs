// The clients that people have had installed for years: the same server answers them as it answers the newest ones.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Carillon, until } from "../carillon.mjs";

const load = createRequire(import.meta.url);
let server;

before(async () => {
  server = await Carillon.start();
  const { status } = await server.call("POST", "/v2/workflows", {
    name: "Bell", workflowId: "bell", __source: "editor", active: true, tags: ["orders"],
    steps: [{ name: "Bell", type: "in_app", controlValues: { subject: "News", body: "Hi {{payload.name}}",
      primaryAction: { label: "Go", redirect: { url: "https://example.com", target: "_self" } } } }],
  });
  assert.equal(status, 201);
});
after(() => server?.stop());

const messageOf = (subscriberId) => until(async () => {
  const { body } = await server.call("GET", `/v1/messages?subscriberId=${subscriberId}`);
  return body.data[0];
}, "a message");

for (const version of ["1.8", "3.11", "3.15"]) {
  test(`@novu/api ${version} validates every answer by its own schemas`, async () => {
    const { Novu } = load(`api-${version}`);
    const novu = new Novu({ secretKey: server.dev.secretKey, serverURL: server.url, retryConfig: { strategy: "none" } });
    const name = `api-${version.replace(".", "-")}`;
    await novu.subscribers.create({ subscriberId: name, firstName: "Ada", email: "ada@example.com", data: { plan: "pro" } });
    assert.equal((await novu.subscribers.retrieve(name)).result.firstName, "Ada");
    await novu.subscribers.createBulk({ subscribers: [{ subscriberId: name }, { subscriberId: `${name}-2` }] });
    await novu.subscribers.patch({ lastName: "L" }, name);
    await novu.subscribers.search({ limit: 5 });
    await novu.subscribers.properties.updateOnlineFlag({ isOnline: true }, name);
    await novu.topics.create({ key: name, name: "Topic" });
    await novu.topics.subscriptions.create({ subscriptions: [name], subscriberIds: [name] }, name);
    await novu.topics.subscriptions.list({ topicKey: name, limit: 5 });
    await novu.subscribers.topics.list({ subscriberId: name });
    await novu.topics.list({ limit: 5 });

    const made = (await novu.workflows.create({ name, workflowId: name, active: true, source: "editor", steps: [
      { name: "Mail", type: "email", controlValues: { subject: "s", body: "b" } },
      { name: "Wait", type: "delay", controlValues: { type: "regular", amount: 1, unit: "days" } },
      { name: "Digest", type: "digest", controlValues: { amount: 1, unit: "hours" } },
      { name: "Bell", type: "in_app", controlValues: { subject: "s", body: "b" } },
      { name: "Text", type: "sms", controlValues: { body: "b" } },
      { name: "Chat", type: "chat", controlValues: { body: "b" } },
      { name: "Push", type: "push", controlValues: { subject: "s", body: "b" } },
      { name: "Code", type: "custom", controlValues: {} },
    ] })).result;
    for (const { slug } of made.steps) await novu.workflows.steps.retrieve(name, slug);
    await novu.workflows.update({ name: "Other", origin: "novu-cloud", active: true, preferences: { user: null, workflow: null }, steps: [] }, name);
    await novu.workflows.get(made.workflowId);
    await novu.workflows.list({ limit: 5 });
    await novu.workflows.sync({ targetEnvironmentId: server.prod._id }, name);

    await novu.trigger({ workflowId: "bell", to: name, payload: { name: "Ada" }, transactionId: name });
    await novu.trigger({ workflowId: "bell", to: [{ type: "Topic", topicKey: name }], payload: {} });
    await novu.triggerBulk({ events: [{ workflowId: "bell", to: name, payload: {} }] });
    await novu.cancel(name);
    const message = await messageOf(name);
    await novu.messages.retrieve({ subscriberId: name });
    const runs = (await novu.notifications.list({ subscriberIds: [name] })).result.data;
    await novu.notifications.retrieve(runs[0].id);
    await novu.subscribers.notifications.feed({ subscriberId: name });
    await novu.subscribers.notifications.unseenCount({ subscriberId: name, seen: false });
    await novu.subscribers.messages.markAllAs({ messageId: message._id, markAs: "read" }, name);
    await novu.subscribers.messages.updateAsSeen({ subscriberId: name, messageId: message._id, type: "primary",
      markMessageActionAsSeenDto: { status: "done" } });
    await novu.subscribers.preferences.list(version === "3.15" ? { subscriberId: name } : name);
    await novu.subscribers.preferences.update({ channels: { email: false } }, name);
    await novu.subscribers.preferences.update({ channels: { email: true }, workflowId: "bell" }, name);

    const integration = (await novu.integrations.create({ providerId: "sendgrid", channel: "email", name, identifier: name, active: true,
      credentials: { apiKey: "x", from: "a@example.com", senderName: "A" } })).result;
    await novu.integrations.list();
    await novu.integrations.listActive();
    await novu.integrations.setAsPrimary(integration.id);
    await novu.integrations.delete(integration.id);
    await novu.environments.list();
    await novu.layouts.create({ layoutId: name, name });
    await novu.layouts.list({ limit: 5 });
    await novu.contexts.create({ type: "tenant", id: name, data: { a: 1 } });
    await novu.contexts.list({ limit: 5 });

    await assert.rejects(() => novu.trigger({ workflowId: "none", to: name, payload: {} }), (error) => error.statusCode === 422);
    await novu.messages.delete(message._id);
    await novu.topics.delete(name);
    await novu.workflows.delete(name);
    await novu.subscribers.delete(name);
  });
}

for (const version of ["0.16", "0.24"]) {
  test(`@novu/node ${version}`, async () => {
    const { Novu } = load(`node-${version}`);
    const novu = new Novu(server.dev.secretKey, { backendUrl: server.url });
    const name = `node-${version.replace(".", "-")}`;
    const { data } = await novu.subscribers.identify(name, { firstName: "Ada", email: "ada@example.com" });
    assert.equal(data.data.subscriberId, name);
    await novu.subscribers.update(name, { lastName: "L" });
    await novu.topics.create({ key: name, name: "Topic" });
    assert.deepEqual((await novu.topics.addSubscribers(name, { subscribers: [name] })).data.data.succeeded, [name]);
    await novu.topics.rename(name, "Renamed");
    const triggered = (await novu.trigger("bell", { to: [{ type: "Topic", topicKey: name }], payload: { name: "Ada" } })).data.data;
    assert.deepEqual([triggered.acknowledged, triggered.status], [true, "processed"]);
    const message = await messageOf(name);
    assert.equal(message.content, "Hi Ada");
    assert.equal((await novu.subscribers.getUnseenCount(name, false)).data.data.count, 1);
    assert.equal((await novu.subscribers.getNotificationsFeed(name, {})).data.data.length, 1);
    await novu.subscribers.markMessageSeen?.(name, message._id);
    assert.ok((await novu.subscribers.getPreference(name)).data.data.length);
    assert.ok((await novu.integrations.getAll()).data.data.length);
    await novu.topics.removeSubscribers(name, { subscribers: [name] });
    await novu.subscribers.delete(name);
  });
}

for (const version of ["2.1", "2.6", "3.0", "3.8", "3.14"]) {
  // In a process of its own: the oldest have no way to close their socket.
  test(`@novu/js ${version}: session, socket, states, preferences`, async () => {
    const child = fork(new URL("js_session.mjs", import.meta.url), [version, server.url, server.dev.applicationIdentifier, server.dev.secretKey]);
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });
}

for (const version of ["2.0", "2.6", "2.10"]) {
  test(`@novu/framework ${version}: synced, and asked for every step`, async () => {
    const { Client, workflow } = load(`framework-${version}`);
    const { serve } = load(`framework-${version}/express`);
    const closed = (properties) => ({ type: "object", properties, additionalProperties: false });
    const workflowId = `code-${version.replace(".", "-")}`;
    const code = workflow(workflowId, async ({ step, payload, subscriber }) => {
      const task = await step.custom("task", async () => ({ a: "42" }), { outputSchema: closed({ a: { type: "string" } }) });
      await step.delay("wait", async () => ({ type: "regular", unit: "seconds", amount: 1 }));
      await step.inApp("bell", async (controls) => ({ subject: "S", body: [payload.n, task.a, controls.x, subscriber.subscriberId].join(" ") }),
        { controlSchema: closed({ x: { type: "string", default: "control" } }), skip: () => false });
    }, { payloadSchema: closed({ n: { type: "string", default: "nobody" } }) });
    const handler = serve({ client: new Client({ secretKey: server.dev.secretKey, strictAuthentication: true }), workflows: [code] });
    const application = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      request.body = text ? JSON.parse(text) : {};
      request.query = Object.fromEntries(new URL(request.url, "http://x").searchParams);
      response.status = (code) => ((response.statusCode = code), response);
      response.send = (body) => response.end(body);
      await handler(request, response);
    }).listen(0, "127.0.0.1");
    await once(application, "listening");
    try {
      const bridgeUrl = `http://127.0.0.1:${application.address().port}/api/novu`;
      const synced = await server.call("POST", "/v1/bridge/sync?source=cli", { bridgeUrl });
      assert.equal(synced.status, 201, JSON.stringify(synced.body));
      const { status } = await server.call("POST", "/v1/events/trigger", { name: workflowId, to: workflowId, payload: { n: "Ada" } });
      assert.equal(status, 201);
      assert.equal((await messageOf(workflowId)).content, `Ada 42 control ${workflowId}`);
    } finally {
      application.closeAllConnections();
      application.close();
    }
  });
}
