// Environments and organizations do not see each other (issue 3, item 6; decisions.md 33): every route of the table that
// names something is called with the key of Production, then with the key of another organization, and with ids of
// Development. The answer must be the one for an id that nobody has, and Development must be the same afterwards.
//
// Routes come from `carillon routes`, bodies from /openapi.json: a new route is covered when its parameters are known
// below, and fails this test until they are.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { Carillon, program, until } from "./carillon.mjs";

const routes = JSON.parse(execFileSync(program, ["routes", "--json"]));
const named = routes.filter((route) => route.auth === "environment" && route.path.includes("{"));
const params = (route) => [...route.path.matchAll(/\{(\w+)\*?\}/g)].map((m) => m[1]);

const nobody = "65f0c2a1b3d4e5f6ffffffff";
let server, theirs, mine, openapi, between, myKey;
const asTheirs = (method, path, body) => server.call(method, path, body, { key: server.dev.secretKey });
const asMine = (method, path, body) => server.call(method, path, body, { key: myKey });

async function made(call, method, path, body) {
  const reply = await call(method, path, body);
  assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${reply.text}`);
  return reply.body?.data ?? reply.body;
}

// Who takes whatever webhooks tell.
const sink = createServer((request, response) => request.on("end", () => response.end()).resume()).listen(0, "127.0.0.1");
await once(sink, "listening");
const sinkUrl = `http://127.0.0.1:${sink.address().port}`;
after(() => { sink.closeAllConnections(); sink.close(); });

/** One of everything, under names that begin with prefix. */
async function furnish(call, prefix) {
  const name = (what) => `${prefix}-${what}`;
  const workflow = await made(call, "POST", "/v2/workflows", {
    name: name("workflow"), workflowId: name("workflow"), active: true, __source: "dashboard", tags: [name("tag")],
    steps: [{ name: name("step"), type: "in_app", controlValues: { body: "Hi" } }],
  });
  await made(call, "POST", "/v2/subscribers", { subscriberId: name("subscriber"), email: "p@example.com" });
  await made(call, "POST", "/v2/topics", { key: name("topic"), name: "T" });
  const subscription = await made(call, "POST", `/v2/topics/${name("topic")}/subscriptions`, { subscriptions: [name("subscriber")] });
  await made(call, "POST", "/v2/contexts", { type: "tenant", id: name("context"), data: { a: 1 } });
  const layout = await made(call, "POST", "/v2/layouts", {
    layoutId: name("layout"), name: name("layout"), isTranslationEnabled: false, __source: "dashboard",
    controlValues: { email: { body: "<html><body>{{content}}</body></html>", editorType: "html" } },
  });
  const tenant = await made(call, "POST", "/v1/tenants", { identifier: name("tenant"), name: "T" });
  const override = await made(call, "POST", "/v1/workflow-overrides", { workflowId: workflow._id, tenantId: tenant._id, active: true });
  await made(call, "POST", "/v1/agents", { name: "A", identifier: name("agent") });
  const domain = `${prefix}.example.com`;
  await made(call, "POST", "/v1/domains", { name: domain });
  await made(call, "POST", `/v1/domains/${domain}/routes`, { address: name("address"), type: "agent", agentId: name("agent") });
  const group = await made(call, "POST", "/v1/notification-groups", { name: name("group") });
  const feed = await made(call, "POST", "/v1/feeds", { name: name("feed") });
  const integration = await made(call, "POST", "/v1/integrations", {
    providerId: "slack", channel: "chat", identifier: name("integration"), active: true, credentials: {},
  });
  const link = await made(call, "POST", `/v1/agents/${name("agent")}/integrations`, { integrationIdentifier: name("integration") });
  await made(call, "POST", "/v1/channel-connections", {
    identifier: name("connection"), integrationIdentifier: name("integration"), subscriberId: name("subscriber"),
    workspace: { id: "T1" }, auth: { accessToken: "x" },
  });
  await made(call, "POST", "/v1/channel-endpoints", {
    identifier: name("endpoint"), integrationIdentifier: name("integration"), subscriberId: name("subscriber"),
    connectionIdentifier: name("connection"), type: "slack_user", endpoint: { userId: "U1" },
  });
  await made(call, "POST", "/v2/translations", {
    resourceId: name("workflow"), resourceType: "workflow", locale: "en_US", content: { hello: "Hello" },
  });
  await made(call, "POST", "/v1/events/trigger", { name: name("workflow"), to: name("subscriber"), transactionId: name("tx") });
  const run = await until(async () => {
    const { body } = await call("GET", `/v1/notifications?transactionId=${name("tx")}`);
    return body.data?.[0]?.jobs?.some((job) => job.status === "completed") && body.data[0];
  }, "the run");
  const message = await until(async () => (await call("GET", `/v1/messages?transactionId=${name("tx")}`)).body.data?.[0], "the message");
  const requestId = (await call("POST", "/v2/topics", { key: name("requested"), name: "T" })).headers.get("x-request-id");
  await until(async () => (await call("GET", `/v1/activity/requests/${requestId}`)).status === 200, "the request in the log");
  const environment = (await call("GET", "/v1/environments/me")).body.data;
  const variableKey = `${prefix}_variable`;
  await made(call, "POST", "/v1/environment-variables", {
    key: variableKey, type: "string", values: [{ _environmentId: environment._id, value: "v" }],
  });
  const webhookEndpoint = await made(call, "POST", "/v2/outbound-webhooks/endpoints", { url: sinkUrl, eventTypes: ["message.read"] });
  const webhookMessage = await made(call, "POST", `/v2/outbound-webhooks/endpoints/${webhookEndpoint._id}/test`, { eventType: "message.read" });
  await until(async () => (await call("GET", `/v2/outbound-webhooks/messages/${webhookMessage.messageId}`)).body.data.deliveries[0].status === "delivered", "the webhook");
  return {
    webhookEndpointId: webhookEndpoint._id, webhookMessageId: webhookMessage.messageId.slice(4),
    templateId: workflow._id, subscriberId: name("subscriber"), externalSubscriberId: name("subscriber"), topicKey: name("topic"), transactionId: name("tx"),
    workflowId: workflow._id, workflowIdentifier: name("workflow"), workflowSlug: workflow.slug, stepId: workflow.steps[0]._id, stepInternalId: workflow.steps[0]._id,
    layoutId: layout.layoutId, layoutInternal: layout._id, notificationId: run._id, runId: run._id, messageId: message._id,
    integrationId: integration._id, requestId, subscription: subscription.data?.[0]?.identifier ?? subscription[0]?.identifier,
    connection: name("connection"), endpoint: name("endpoint"), contextId: name("context"), resourceId: name("workflow"),
    environmentId: environment._id, targetEnvironmentId: environment._id, variableKey, integration: name("integration"), tag: name("tag"),
    overrideId: override._id, tenantId: tenant._id, changeId: run._id, memberId: run._id,
    agent: name("agent"), agentId: name("agent"), agentIntegrationId: link._id, domain, address: name("address"), tenant: name("tenant"), groupId: group._id, feedId: feed._id,
  };
}

/** The values of a route's parameters, taken from what an environment has. */
function values(route, has) {
  const by = {
    type: "tenant", id: has.contextId, resourceType: "workflow", resourceId: has.resourceId, locale: "en_US", version: "1",
    providerId: "slack", parameter: has.workflowId, actionType: "primary", deliveryId: has.runId, integrationIdentifier: has.integration,
    identifier: route.path.includes("channel-connections") ? has.connection
      : route.path.includes("channel-endpoints") ? has.endpoint
      : route.path.startsWith("/v1/tenants") ? has.tenant
      : route.path.startsWith("/v1/agents") ? has.agent
      : route.path.startsWith("/v2/topics") ? has.subscription : undefined,
    ...has,
  };
  if (route.path.startsWith("/v2/subscribers/{subscriberId}/notifications")) by.notificationId = has.messageId;
  if (route.operation === "subscribersPreferencesByLevelV1") by.parameter = "template";
  if (route.path.startsWith("/v1/notification-groups")) by.id = has.groupId;
  by.providerOrIntegrationId = has.integrationId;
  if (route.path.startsWith("/v1/outbox")) by.id = has.runId;
  if (route.path.includes("/messages/{messageId}/actions/")) by.type = "primary";
  return params(route).map((name) => by[name]);
}

/** Why a route is not asked: what it names belongs to the organisation, or is meant to reach another environment. */
const excepted = (route) => between === "environments" &&
  (["environmentsDiff", "environmentsPublish", "workflowsSync"].includes(route.operation) && "reaches another environment of the organisation (decisions.md 33)" ||
  route.path.startsWith("/v1/environment-variables/{") && "a variable is one record of the organisation (rest-api.md 6.13)");
/** What a call of this route changes in the caller's own environment is made anew for each call. */
const fill = (path, list) => { let i = 0; return path.replace(/\{\w+\*?\}/g, () => encodeURIComponent(list[i++])); };
const bodyOf = (route) => {
  const media = openapi.paths[route.path.replaceAll("*}", "}")][route.method.toLowerCase()].requestBody?.content ?? {};
  const body = structuredClone(media["application/json"]?.example);
  if (body?.snoozeUntil) body.snoozeUntil = new Date(Date.now() + 86400000).toISOString();
  return body;
};
/** An answer without what differs between any two: times, the ids that were asked for, ids of what was made. */
const shape = (reply, words) => {
  let text = reply.text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>");
  for (const word of words.filter((w) => w?.length > 3).sort((a, b) => b.length - a.length)) text = text.replaceAll(word, "<id>").replaceAll(encodeURIComponent(word), "<id>");
  return `${reply.status} ${text
    .replace(/[0-9a-f]{24}/g, "<oid>").replace(/_(wf|st|lt)_\w{16}/g, "<slug>")
    .replace(/-[a-z0-9]{4,8}"/g, '-<short>"')}`;
};

async function everythingOfTheirs() {
  const lists = routes.filter((r) => r.auth === "environment" && r.method === "GET" && !r.path.includes("{")
    && !["outboxWait", "testingClockRead", "deliveriesCircuits"].includes(r.operation));
  const all = {};
  for (const route of lists) all[route.path] = (await asTheirs("GET", route.path)).text;
  for (const route of named.filter((r) => r.method === "GET" && !excepted(r))) {
    const path = fill(route.path, values(route, theirs));
    all[path] = (await asTheirs("GET", path)).text;
  }
  for (const path of Object.keys(all)) all[path] = all[path].replace(/"(timestamp|lastTriggeredAt)":"[^"]*"/g, "");
  return all;
}

/** Another organization, made as an operator makes one; the key of its Development. */
async function otherOrganization() {
  await server.stop({ keep: true });
  const text = execFileSync(program, ["org", "create", "Other", "--data-dir", server.dir], { encoding: "utf8" });
  server.port = undefined;      // the old one may be somebody else's meanwhile
  await server.start();
  const key = text.match(/^Development\n.*\n  secret key +([0-9a-f]{32})$/m)[1];
  const ours = server.dev._organizationId, theirOrganization = text.match(/^organization ([0-9a-f]{24})$/m)[1];
  assert.notEqual(ours, theirOrganization);
  assert.equal(server.credentials.environments.filter((e) => e._organizationId === theirOrganization).length, 2);
  return key;
}

for (const kind of ["environments", "organizations"]) describe(`isolation of ${kind}`, () => {
  before(async () => {
    between = kind;
    server = await Carillon.start();
    myKey = kind === "environments" ? server.prod.secretKey : await otherOrganization();
    openapi = (await server.call("GET", "/openapi.json")).body;
    theirs = await furnish(asTheirs, "theirs");
    mine = await furnish(asMine, "mine");
  });
  after(() => server?.stop());

  test("every parameter of every route is known here", () => {
    const unknown = named.filter((route) => !excepted(route) && values(route, theirs).some((value) => value === undefined));
    assert.deepEqual(unknown.map((r) => `${r.operation} ${r.path}`), [], "not covered: add the parameter to values()");
  });

  test("with the owner's key the same ids do lead somewhere", async () => {
    for (const route of named.filter((r) => r.method === "GET" && !excepted(r) && !r.path.includes("deliver") && !r.path.startsWith("/v1/outbox"))) {
      const path = fill(route.path, values(route, theirs));
      const reply = await asTheirs("GET", path);
      const found = reply.status < 300 || /^Webhook for slack-chat is not supported yet$/.test(reply.body?.message);
      assert.ok(found, `${route.operation} ${path}: ${reply.status} ${reply.text}`);
    }
  });

  test("foreign ids are answered like missing ones, and nothing changes", async () => {
    const before_ = await everythingOfTheirs();
    const missing = Object.fromEntries(Object.entries(theirs).map(([name, value]) => [name, /^[0-9a-f]{24}$/.test(value) ? nobody : value.replace(/^theirs/, "absent")]));
    missing.workflowSlug = undefined;
    const differences = [], vague = [];
    for (const route of named.filter((r) => !excepted(r))) {
      const foreign = values(route, theirs), absent = values(route, missing), own = values(route, mine);
      const fixed = foreign.map((value, i) => value === absent[i]);
      // All foreign; and each foreign id below parents of one's own.
      const tries = [[foreign, absent]];
      for (let i = 1; i < foreign.length; i++) if (!fixed[i]) tries.push([[...own.slice(0, i), ...foreign.slice(i)], [...own.slice(0, i), ...absent.slice(i)]]);
      if (foreign.length === 1 && route.path.includes("{workflowId}"))
        for (const alias of ["workflowIdentifier"]) tries.push([[theirs[alias]], [missing[alias]]]);
      for (const [a, b] of tries) {
        const body = bodyOf(route);
        const one = await asMine(route.method, fill(route.path, a), body);
        const other = await asMine(route.method, fill(route.path, b), body);
        const [x, y] = [shape(one, a), shape(other, b)];
        if (x !== y) differences.push(`${route.operation} ${route.method} ${fill(route.path, a)}\n  foreign ${x}\n  missing ${y}`);
        if (other.status === 422 || other.status >= 500) vague.push(`${route.operation}: ${other.status} ${other.text.slice(0, 300)}`);
      }
    }
    assert.deepEqual(differences, []);
    assert.deepEqual(vague, [], "the body of the example does not get past the form");
    assert.deepEqual(await everythingOfTheirs(), before_);
  });

  test("ids in bodies and queries reach no further", async () => {
    const pairs = [
      ["POST", "/v1/events/trigger", (t) => ({ name: t.workflowIdentifier, to: "mine-subscriber" })],
      ["POST", "/v1/events/trigger", (t) => ({ name: t.workflowId, to: "mine-subscriber" })],
      ["POST", "/v1/subscribers/mine-subscriber/messages/mark-as", (t) => ({ messageId: t.messageId, markAs: "read" })],
      ["GET", (t) => `/v1/messages?subscriberId=${t.subscriberId}`],
      ["GET", (t) => `/v1/messages?transactionId=${t.transactionId}`],
      ["GET", (t) => `/v1/notifications?transactionId=${t.transactionId}`],
      ["GET", (t) => `/v1/notifications?templates=${t.workflowId}`],
      ["GET", (t) => `/v1/notifications?subscriberIds=${t.subscriberId}`],
      ["GET", (t) => `/v1/notifications?topicKey=${t.topicKey}`],
      ["GET", (t) => `/v1/notifications?search=${t.runId}`],
      ["GET", (t) => `/v2/subscribers?after=${t.runId}`],
      ["GET", (t) => `/v2/subscribers?subscriberId=${t.subscriberId}`],
      ["GET", (t) => `/v2/topics?key=${t.topicKey}`],
      ["GET", (t) => `/v2/workflows?query=${t.workflowIdentifier}`],
      ["GET", (t) => `/v2/workflows?tags=${t.tag}`],
      ["GET", (t) => `/v2/layouts?query=${t.layoutId}`],
      ["GET", (t) => `/v2/contexts?id=${t.contextId}`],
      ["GET", (t) => `/v1/channel-endpoints?subscriberId=${t.subscriberId}`],
      ["GET", (t) => `/v1/channel-connections?integrationIdentifier=${t.integration}`],
      ["GET", (t) => `/v1/outbox?transactionId=${t.transactionId}`],
      ["POST", "/v2/topics/mine-topic/subscriptions", (t) => ({ subscriptions: [t.subscriberId] })],
      ["POST", "/v2/topics/mine-topic/subscriptions", (t) => ({ subscriptions: ["mine-subscriber"], preferences: [t.workflowId] })],
      ["PATCH", "/v2/subscribers/mine-subscriber/preferences", (t) => ({ workflowId: t.workflowId, channels: { email: false } })],
      ["PATCH", "/v2/subscribers/mine-subscriber/preferences/bulk", (t) => ({ preferences: [{ workflowId: t.workflowIdentifier, channels: { email: false } }] })],
      ["POST", "/v1/channel-endpoints", (t) => ({ integrationIdentifier: t.integration, subscriberId: "mine-subscriber", type: "slack_user", endpoint: { userId: "U" } })],
      ["POST", "/v1/channel-endpoints", (t) => ({ integrationIdentifier: "mine-integration", connectionIdentifier: t.connection, subscriberId: "mine-subscriber", type: "slack_user", endpoint: { userId: "U" } })],
      ["POST", "/v1/integrations", (t) => ({ providerId: "discord", channel: "chat", _environmentId: t.environmentId })],
      ["PUT", "/v2/workflows/mine-workflow/sync", (t) => ({ targetEnvironmentId: t.environmentId }), "sync is meant to (decisions.md 33)"],
      ["POST", () => `/v2/environments/${mine.environmentId}/diff`, (t) => ({ sourceEnvironmentId: t.environmentId }), "so is diff"],
      ["POST", () => `/v2/environments/${mine.environmentId}/publish`, (t) => ({ sourceEnvironmentId: t.environmentId }), "so is publish"],
    ].filter((pair) => between === "organizations" || !pair[3]);
    const before_ = await everythingOfTheirs();
    const missing = Object.fromEntries(Object.entries(theirs).map(([name, value]) => [name, /^[0-9a-f]{24}$/.test(value) ? nobody : value.replace(/^theirs/, "absent")]));
    const differences = [];
    for (const [method, path, body] of pairs) {
      const ask = (t) => asMine(method, typeof path === "function" ? path(t) : path, body?.(t));
      const [one, other] = [await ask(theirs), await ask(missing)];
      const [x, y] = [shape(one, Object.values(theirs)), shape(other, Object.values(missing))];
      if (x !== y) differences.push(`${method} ${typeof path === "function" ? path(theirs) : path}\n  foreign ${x}\n  missing ${y}`);
    }
    assert.deepEqual(differences, []);
    assert.deepEqual(await everythingOfTheirs(), before_);
  });
});
