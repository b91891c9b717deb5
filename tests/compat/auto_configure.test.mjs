// An integration's delivery webhook, set up at the provider: what is asked of it, what is kept, and that reports then come in signed.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, provider, calls = [], refuse = null;
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicKey = pair.publicKey.export({ type: "spki", format: "der" }).toString("base64");
/** What the providers remember. */
const state = { sendgrid: [], mailgun: { delivered: ["https://other.example/hook"] }, anypost: [], rotations: 0 };

/** Routes of the fake providers: a sink has their hosts as the first segment. */
const routes = [
  ["GET", /^\/api\.sendgrid\.com\/v3\/user\/webhooks\/event\/settings\/all$/, () => [200, { max_allowed: 2, webhooks: state.sendgrid }]],
  ["POST", /^\/api\.sendgrid\.com\/v3\/user\/webhooks\/event\/settings$/, (_, body) => {
    state.sendgrid.push({ id: `sg-${state.sendgrid.length}`, ...body });
    return [201, state.sendgrid.at(-1)];
  }],
  ["PATCH", /^\/api\.sendgrid\.com\/v3\/user\/webhooks\/event\/settings\/(sg-\d)$/, ([, id], body) => [200, Object.assign(state.sendgrid.find((x) => x.id === id), body)]],
  ["PATCH", /^\/api\.sendgrid\.com\/v3\/user\/webhooks\/event\/settings\/signed\/(sg-\d)$/, ([, id]) => [200, { id, public_key: publicKey }]],
  ["GET", /^\/api\.mailgun\.net\/v3\/domains\/mg\.example\.com\/webhooks$/, () =>
    [200, { webhooks: Object.fromEntries(Object.entries(state.mailgun).map(([k, urls]) => [k, { urls }])) }]],
  ["POST", /^\/api\.mailgun\.net\/v3\/domains\/mg\.example\.com\/webhooks$/, (_, form) => {
    if (state.mailgun[form.get("id")]) return [400, { message: "Webhook already exists" }];
    state.mailgun[form.get("id")] = form.getAll("url");
    return [200, { message: "Webhook has been created" }];
  }],
  ["PUT", /^\/api\.mailgun\.net\/v3\/domains\/mg\.example\.com\/webhooks\/(\w+)$/, ([, id], form) => {
    state.mailgun[id] = form.getAll("url");
    return [200, { message: "Webhook has been updated" }];
  }],
  ["GET", /^\/api\.mailgun\.net\/v5\/accounts\/http_signing_key$/, () => [200, { http_signing_key: "mailgun-canary" }]],
  ["GET", /^\/api\.anypost\.com\/v1\/webhooks\?limit=100$/, () => [200, { data: state.anypost, has_more: false }]],
  ["POST", /^\/api\.anypost\.com\/v1\/webhooks$/, (_, body) => {
    state.anypost.push({ id: "wh_1", ...body });
    return [201, { ...state.anypost[0], signing_secret: "whsec_first" }];
  }],
  ["PATCH", /^\/api\.anypost\.com\/v1\/webhooks\/wh_1$/, (_, body) => [200, Object.assign(state.anypost[0], body)]],
  ["POST", /^\/api\.anypost\.com\/v1\/webhooks\/wh_1\/rotate-secret$/, () => [200, { id: "wh_1", signing_secret: `whsec_turn${++state.rotations}` }]],
];

before(async () => {
  provider = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = request.headers["content-type"] === "application/json" ? JSON.parse(text) : new URLSearchParams(text);
    calls.push({ method: request.method, path: request.url, body, authorization: request.headers.authorization });
    let answer = refuse ?? [404, { message: "no such route" }];
    for (const [method, path, act] of refuse ? [] : routes) {
      const match = method === request.method && path.exec(request.url);
      if (match) answer = act(match, body);
    }
    response.writeHead(answer[0], { "Content-Type": "application/json" }).end(JSON.stringify(answer[1]));
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  server = await Carillon.start({
    env: { CARILLON_DELIVERY_SINK: `http://127.0.0.1:${provider.address().port}`, CARILLON_PUBLIC_URL: "https://carillon.example" },
  });
  novu = api(server);
});
after(async () => {
  await server?.stop();
  provider?.close();
});

const make = async (providerId, credentials) =>
  (await novu.integrations.create({ providerId, channel: "email", active: true, credentials })).result;
async function configure(integration) {
  calls = [];
  refuse = null;
  const { status, body } = await server.call("POST", `/v1/integrations/${integration.id}/auto-configure`);
  assert.equal(status, 200);
  return body.data;
}
const urlOf = (i) => `https://carillon.example/v2/inbound-webhooks/delivery-providers/${i.environmentId}/${i.id}`;
const report = async (i, body, headers = {}) =>
  (await fetch(`${server.url}/v2/inbound-webhooks/delivery-providers/${i.environmentId}/${i.id}`, {
    method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body),
  })).status;

test("SendGrid: a webhook, then its signature; again changes the same webhook", async () => {
  const i = await make("sendgrid", { apiKey: "SG.key" });
  const result = await configure(i);
  assert.equal(result.success, true);
  assert.equal(result.message, "Integration auto-configured successfully");
  assert.equal(result.integration._id, i.id);
  assert.deepEqual(result.integration.configurations, { inboundWebhookEnabled: true });
  assert.deepEqual(result.integration.credentials, {});
  assert.deepEqual(calls.map((c) => c.authorization), Array(3).fill("Bearer SG.key"));
  assert.deepEqual(calls[1].body, {
    url: urlOf(i), enabled: true, delivery_logs: true, engagement_data: true, friendly_name: "Novu Inbound Webhook",
    open: true, click: true, bounce: true, blocked: true, dropped: true, delivered: true,
  });
  assert.deepEqual(calls[2].body, { enabled: true });
  calls = [];
  assert.equal((await novu.integrations.integrationsControllerAutoConfigureIntegration(i.id)).result.success, true);
  assert.equal(state.sendgrid.length, 1);
  assert.deepEqual(calls.map((c) => `${c.method} ${c.path.split("/event/")[1]}`), ["GET settings/all", "PATCH settings/sg-0", "PATCH settings/signed/sg-0"]);
  const body = [{ id: "x", event: "delivered" }], timestamp = String(Math.floor(Date.now() / 1000));
  assert.equal(await report(i, body), 401);
  const signature = sign("sha256", Buffer.from(timestamp + JSON.stringify(body)), pair.privateKey).toString("base64");
  assert.equal(await report(i, body, { "X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": timestamp }), 200);
});

test("Mailgun: each event, beside what is there already; the account's key", async () => {
  const i = await make("mailgun", { apiKey: "mg-key", domain: "mg.example.com", username: "someone" });
  assert.deepEqual((await configure(i)).message, "Integration auto-configured successfully");
  const url = urlOf(i);
  assert.deepEqual(state.mailgun, {
    delivered: ["https://other.example/hook", url], opened: [url], clicked: [url], permanent_fail: [url],
  });
  assert.equal(calls[0].authorization, `Basic ${Buffer.from("api:mg-key").toString("base64")}`);
  assert.equal((await configure(i)).success, true);
  assert.deepEqual(calls.map((c) => c.method), ["GET", "GET"]);
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signed = (key) => ({ signature: { timestamp, token: "t", signature: createHmac("sha256", key).update(`${timestamp}t`).digest("hex") }, "event-data": {} });
  assert.equal(await report(i, signed("another")), 401);
  assert.equal(await report(i, signed("mailgun-canary")), 200);
  const all = JSON.stringify((await server.call("GET", "/v1/integrations")).body);
  assert.ok(!all.includes("mailgun-canary"), "the key is never shown");
});

test("Anypost: tells its secret once; a webhook whose secret we do not have gets a new one", async () => {
  const made = await server.call("POST", "/v1/integrations", {
    providerId: "anypost", channel: "email", active: true, credentials: { apiKey: "ap_key" },
    configurations: { inboundWebhookSigningKey: "stale", other: 1 },
  });
  const i = { id: made.body.data._id, environmentId: made.body.data._environmentId };
  const signed = async (key) => {
    const t = Math.floor(Date.now() / 1000), body = { type: "email.sent" };
    const v1 = createHmac("sha256", key).update(`${t}.${JSON.stringify(body)}`).digest("hex");
    return report(i, body, { "Anypost-Signature": `t=${t},v1=${v1}` });
  };
  assert.deepEqual((await configure(i)).integration.configurations, { other: 1, inboundWebhookEnabled: true });
  assert.equal(calls[1].body.events.length, 9);
  assert.equal(await signed("stale"), 401);
  assert.equal(await signed("whsec_first"), 200);
  assert.equal((await configure(i)).success, true);
  assert.deepEqual(calls.map((c) => c.method), ["GET", "PATCH"]);
  assert.equal(await signed("whsec_first"), 200);
  await server.call("PUT", `/v1/integrations/${i.id}`, { credentials: { inboundWebhookSigningKey: "" } });
  assert.equal((await configure(i)).success, true);
  assert.deepEqual(calls.map((c) => c.method), ["GET", "PATCH", "POST"]);
  assert.equal(await signed("whsec_turn1"), 200);
  assert.equal(state.anypost.length, 1);
});

test("a provider that refuses leaves all as it was, and says why", async () => {
  const i = await make("sendgrid", { apiKey: "SG.bad-canary" });
  for (const [answer, message] of [
    [[401, { errors: [{ message: "authorization required" }] }], "Auto-configuration failed: The provider refused the credentials: authorization required"],
    [[403, {}], "Auto-configuration failed: The provider refused the credentials: Request failed with status code 403"],
    [[500, { errors: [{ message: "key SG.bad-canary broke us" }] }], "Auto-configuration failed: key *** broke us"],
    [[200, {}], "Auto-configuration failed: The provider did not tell the key that it signs its reports with"],
  ]) {
    refuse = answer;
    const { status, body } = await server.call("POST", `/v1/integrations/${i.id}/auto-configure`);
    assert.equal(status, 200);
    assert.deepEqual(body.data, { success: false, message });
  }
  refuse = null;
  const kept = (await novu.integrations.list()).result.find((x) => x.id === i.id);
  assert.equal(kept.configurations?.inboundWebhookEnabled, undefined);
});

test("who cannot be told says what to do by hand", async () => {
  const say = async (providerId, credentials, channel = "email") => {
    const i = (await novu.integrations.create({ providerId, channel, active: true, credentials })).result;
    const { success, message, integration } = await configure(i);
    assert.deepEqual([success, integration, calls.length], [false, undefined, 0]);
    return message.replace(urlOf(i), "URL");
  };
  assert.equal(await say("resend", { apiKey: "re" }),
    "Resend does not currently offer automatic inbound webhook configuration. Please configure your webhook manually.");
  assert.match(await say("ses", { region: "eu-west-1" }), /an HTTPS subscription to URL, .* configurationSetName\.$/);
  assert.match(await say("twilio", {}, "sms"), /^Auto-configuration is not supported for provider "twilio"\. Enter the webhook URL URL at the provider/);
  assert.equal(await say("discord", {}, "chat"), 'Auto-configuration is not supported for provider "discord": its reports are not read.');
  assert.equal((await server.call("POST", "/v1/integrations/nonsense/auto-configure")).body.message, "Entity with id nonsense not found");
});
