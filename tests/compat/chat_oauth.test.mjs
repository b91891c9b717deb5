// Chat providers' OAuth dialogues: the URL, the way back, and what the Inbox sees of it.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, provider, calls;
/** What the providers answer, by path: a sink has their hosts as the first segment. */
const answers = {
  "/slack.com/api/oauth.v2.access": () => ({
    ok: true, access_token: "xoxb-1", team: { id: "T1", name: "Acme" }, authed_user: { id: "U7" },
    incoming_webhook: { url: "https://hooks.slack.com/x", channel: "#ops" },
  }),
  "/login.microsoftonline.com/organizations/oauth2/v2.0/token": () => ({
    access_token: "ms", id_token: `e30.${Buffer.from(JSON.stringify({ oid: "ms-user", tid: "tenant" })).toString("base64url")}.x`,
  }),
  "/webexapis.com/v1/access_token": () => ({ access_token: "wx", refresh_token: "wr", expires_in: 60 }),
  "/webexapis.com/v1/people/me": () => ({ id: "P1", orgId: "O1", displayName: "Ada", emails: ["ada@example.com"] }),
};

before(async () => {
  provider = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    calls.push({ path: request.url, form: Object.fromEntries(new URLSearchParams(body)), authorization: request.headers.authorization });
    const answer = answers[request.url]?.();
    response.writeHead(answer?.status ?? (answer ? 200 : 404), { "Content-Type": "application/json" }).end(JSON.stringify(answer ?? {}));
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  server = await Carillon.start({
    env: { CARILLON_DELIVERY_SINK: `http://127.0.0.1:${provider.address().port}`, CARILLON_PUBLIC_URL: "https://carillon.example/" },
  });
  novu = api(server);
  const credentials = { clientId: "client", secretKey: "secret-canary" };
  for (const [providerId, identifier] of [["slack", "slack"], ["msteams", "teams"], ["webex-messaging", "webex"]])
    await novu.integrations.create({ providerId, channel: "chat", identifier, active: true, credentials });
  await novu.integrations.create({ providerId: "slack", channel: "chat", identifier: "bare", active: true, credentials: {} });
  await novu.integrations.create({ providerId: "discord", channel: "chat", identifier: "discord", active: true, credentials: {} });
  await novu.subscribers.create({ subscriberId: "ada.l" });
});
after(async () => {
  await server?.stop();
  provider?.close();
});

const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status);
    assert.match(JSON.parse(error.body).message, message);
    return true;
  });
/** The way back as the provider sends the browser. */
async function comeBack(url, more) {
  calls = [];
  const query = new URLSearchParams({ state: new URL(url).searchParams.get("state"), ...more });
  const response = await fetch(`${server.url}/v1/integrations/chat/oauth/callback?${query}`, { redirect: "manual" });
  return { status: response.status, text: await response.text(), headers: response.headers };
}
const connect = async (body) => (await novu.integrations.generateConnectOAuthUrl(body)).result.url;
const link = async (body) => (await novu.integrations.generateLinkUserOAuthUrl(body)).result.url;

test("a Slack workspace is connected, its webhook and installer linked", async () => {
  const url = new URL(await connect({ integrationIdentifier: "slack", subscriberId: "ada.l", scope: ["chat:write", "incoming-webhook"], autoLinkUser: true }));
  assert.equal(url.origin + url.pathname, "https://slack.com/oauth/v2/authorize");
  assert.equal(url.searchParams.get("client_id"), "client");
  assert.equal(url.searchParams.get("scope"), "chat:write,incoming-webhook");
  assert.equal(url.searchParams.get("redirect_uri"), "https://carillon.example/v1/integrations/chat/oauth/callback");
  const back = await comeBack(url, { code: "c 1&" });
  assert.equal(back.status, 200, back.text);
  assert.match(back.headers.get("content-type"), /^text\/html/);
  assert.deepEqual(calls[0].form, { code: "c 1&", client_id: "client", client_secret: "secret-canary", redirect_uri: url.searchParams.get("redirect_uri") });
  const [made] = (await novu.channelConnections.list({ integrationIdentifier: "slack" })).result.data;
  assert.deepEqual(made.workspace, { id: "T1", name: "Acme" });
  assert.equal(made.auth.accessToken, "xoxb-1");
  const endpoints = (await novu.channelEndpoints.list({ subscriberId: "ada.l" })).result.data;
  assert.deepEqual(Object.fromEntries(endpoints.map((e) => [e.type, e.endpoint])), {
    webhook: { url: "https://hooks.slack.com/x", channel: "#ops" }, slack_user: { userId: "U7" },
  });
  assert.ok(endpoints.every((e) => e.connectionIdentifier === made.identifier));
  await comeBack(await connect({ integrationIdentifier: "slack", subscriberId: "ada.l", autoLinkUser: true }), { code: "again" });
  assert.equal((await novu.channelConnections.list({ integrationIdentifier: "slack" })).result.totalCount, 1, "connected again, not twice");
  assert.equal((await novu.channelEndpoints.list({ subscriberId: "ada.l" })).result.totalCount, 2);
});

test("an administrator allows Teams for a context; a person is linked in their own tenant", async () => {
  const url = new URL(await connect({ integrationIdentifier: "teams", context: { tenant: "acme" }, connectionMode: "shared", connectionIdentifier: "acme-teams" }));
  assert.equal(url.pathname, "/organizations/v2.0/adminconsent");
  assert.equal((await comeBack(url, { admin_consent: "False", tenant: "x" })).status, 400);
  assert.equal((await comeBack(url, { admin_consent: "True", tenant: "tenant-1" })).status, 200);
  const made = (await novu.channelConnections.retrieve("acme-teams")).result;
  assert.deepEqual([made.workspace.id, made.subscriberId, made.contextKeys], ["tenant-1", null, ["tenant:acme"]]);
  const user = new URL(await link({ integrationIdentifier: "teams", subscriberId: "ada.l", context: { tenant: "acme" }, connectionIdentifier: "acme-teams" }));
  assert.equal(user.pathname, "/organizations/oauth2/v2.0/authorize");
  assert.equal((await comeBack(user, { code: "k" })).status, 200);
  const [endpoint] = (await novu.channelEndpoints.list({ integrationIdentifier: "teams" })).result.data;
  assert.deepEqual([endpoint.type, endpoint.endpoint, endpoint.contextKeys], ["ms_teams_user", { userId: "ms-user" }, ["tenant:acme"]]);
});

test("Webex tells in a second call who it was", async () => {
  assert.equal((await comeBack(await connect({ integrationIdentifier: "webex", subscriberId: "ada.l", connectionIdentifier: "wx" }), { code: "k" })).status, 200);
  assert.deepEqual(calls.map((c) => [c.path, c.authorization]), [["/webexapis.com/v1/access_token", undefined], ["/webexapis.com/v1/people/me", "Bearer wx"]]);
  const { workspace, auth } = (await novu.channelConnections.retrieve("wx")).result;
  assert.deepEqual([workspace.id, auth.accessToken], ["O1", "wx"]);
  await comeBack(await link({ integrationIdentifier: "webex", subscriberId: "ada.l", connectionIdentifier: "wx" }), { code: "k" });
  const [endpoint] = (await novu.channelEndpoints.list({ integrationIdentifier: "webex" })).result.data;
  assert.deepEqual([endpoint.type, endpoint.endpoint], ["webex_person", { personId: "P1" }]);
});

test("what cannot be is refused by name", async () => {
  await fails(connect({ integrationIdentifier: "none", subscriberId: "ada.l" }), 404, /^Integration not found: none$/);
  await fails(connect({ integrationIdentifier: "discord", subscriberId: "ada.l" }), 400, /^OAuth not supported for provider: discord$/);
  await fails(connect({ integrationIdentifier: "slack" }), 400, /^Either subscriberId or context must be provided$/);
  await fails(connect({ integrationIdentifier: "slack", subscriberId: "ada.l", connectionMode: "shared" }), 400, /^context is required when connectionMode is shared$/);
  await fails(connect({ integrationIdentifier: "slack", context: { tenant: "a" }, scope: ["incoming-webhook"] }), 400, /^subscriberId is required for incoming webhook$/);
  await fails(connect({ integrationIdentifier: "slack", subscriberId: "nobody" }), 404, /^Subscriber not found: nobody$/);
  await fails(connect({ integrationIdentifier: "bare", subscriberId: "ada.l" }), 404, /^Slack integration missing required OAuth credentials \(clientId\)$/);
  await fails(link({ integrationIdentifier: "webex", subscriberId: "ada.l" }), 400, /^connectionIdentifier is required for Webex link_user mode$/);
  for (const integrationIdentifier of ["slack", "discord"]) {
    const to = { integrationIdentifier, subscriberId: "ada.l" };
    const { status, body } = await server.call("POST", "/v1/integrations/channel-endpoints/link", to);
    assert.equal(status, 400);
    assert.equal(body.message, `Provider "${integrationIdentifier}" does not support subscriber chat linking via this endpoint.`);
    for (const what of ["mobile-link", "webhook/configure"])
      assert.match((await server.call("POST", `/v1/integrations/${integrationIdentifier}/${what}`, {})).body.message, /^Provider "\w+" does not support/);
  }
  const [{ id }] = (await novu.integrations.list()).result;
  const auto = (await server.call("POST", `/v1/integrations/${id}/auto-configure`)).body;
  assert.equal(auto.data.success, false);
  assert.equal((await server.call("POST", `/v1/integrations/65f0c2a1b3d4e5f6ffffffff/auto-configure`)).status, 404);
});

// Upstream: apps/api/src/app/integrations/e2e/generate-connect-oauth-url.e2e.ts.
test("an integration that validates by HMAC takes no context on trust", async () => {
  const credentials = { clientId: "client", secretKey: "secret", hmac: true };
  await novu.integrations.create({ providerId: "slack", channel: "chat", identifier: "proved", active: true, credentials });
  const hash = (text, key = server.dev.secretKey) => createHmac("sha256", key).update(text).digest("hex");
  const acme = hash('{"region":"eu","tenant":"acme"}');
  const cases = [
    [{ subscriberId: "ada.l" }, 400, "A context is required when HMAC validation is enabled."],
    [{ context: { tenant: "acme" } }, 400, "A valid contextHash is required when HMAC validation is enabled."],
    [{ context: { tenant: "other" }, contextHash: acme }, 400, "Please provide a valid context HMAC hash"],
    [{ context: { tenant: "acme" }, contextHash: hash('{"tenant":"acme"}', server.prod.secretKey) }, 400, "Please provide a valid context HMAC hash"],
    [{ context: { tenant: "acme", region: "eu" }, contextHash: acme }, 201],
    [{ context: { tenant: "acme", region: "eu" }, contextHash: acme.toUpperCase() }, 201],
  ];
  for (const path of ["channel-connections/oauth", "channel-endpoints/oauth", "chat/oauth", "channel-endpoints/link"])
    for (const [body, status, message] of cases) {
      const to = { integrationIdentifier: "proved", subscriberId: "ada.l", ...body };
      const answer = await server.call("POST", `/v1/integrations/${path}`, to);
      const links = status === 201 && path === "channel-endpoints/link";
      assert.equal(answer.status, links ? 400 : status, `${path} ${JSON.stringify(body)}`);
      if (message || links) assert.equal(answer.body.message, message ?? 'Provider "slack" does not support subscriber chat linking via this endpoint.');
    }
  // The Inbox's contexts are as good as its sessions.
  const { _id, ...inApp } = (await server.call("GET", "/v1/integrations")).body.data.find((i) => i.channel === "in_app");
  const session = { applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "ada.l" }, subscriberHash: hash("ada.l") };
  const { token } = (await server.call("POST", "/v1/inbox/session", session, { key: null })).body.data;
  for (const [hmac, status] of [[false, 400], [true, 201]]) {
    const set = await server.call("PUT", `/v1/integrations/${_id}`, { credentials: { ...inApp.credentials, hmac } });
    assert.equal(set.status, 200);
    const answer = await server.call("POST", "/v1/inbox/channel-connections/oauth", { integrationIdentifier: "proved" }, { key: null, headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
  }
  await server.call("PUT", `/v1/integrations/${_id}`, { credentials: { ...inApp.credentials, hmac: false } });
});

test("a state is good as signed, and not for long", async () => {
  const callback = async (query) => (await server.call("GET", `/v1/integrations/chat/oauth/callback${query}`, undefined, { key: null }));
  assert.equal((await callback("?code=x")).body.message, "Missing required OAuth parameter: state");
  for (const state of ["x", "e30", Buffer.from(`{}.${"0".repeat(64)}`).toString("base64url")])
    assert.equal((await callback(`?code=x&state=${state}`)).body.message, "Invalid OAuth state parameter");
  const url = new URL(await connect({ integrationIdentifier: "slack", subscriberId: "ada.l" }));
  const state = url.searchParams.get("state");
  const text = Buffer.from(state, "base64url").toString();
  const payload = text.slice(0, -65);
  const sign = (json, key = server.dev.secretKey) => Buffer.from(`${json}.${createHmac("sha256", key).update(json).digest("hex")}`).toString("base64url");
  assert.equal(sign(payload), state);
  const forged = payload.replace("ada.l", "other");
  const old = JSON.stringify({ ...JSON.parse(payload), timestamp: Date.now() - 301000 });
  const future = JSON.stringify({ ...JSON.parse(payload), timestamp: Date.now() + 60000 });
  for (const bad of [Buffer.from(`${forged}.${text.slice(-64)}`).toString("base64url"), sign(payload, server.prod.secretKey), sign(old), sign(future)]) {
    const { status, body } = await callback(`?code=x&state=${bad}`);
    assert.deepEqual([status, body.message], [400, "Invalid or expired Slack OAuth state parameter"]);
  }
  assert.equal((await callback(`?state=${state}`)).body.message, "Missing required OAuth parameter: code");
  assert.equal((await callback(`?state=${state}&error=access_denied`)).body.message, "Slack OAuth error: access_denied");
  const usual = answers["/slack.com/api/oauth.v2.access"];
  answers["/slack.com/api/oauth.v2.access"] = () => ({ ok: false, error: "invalid_code" });
  const refused = await comeBack(url, { code: "x" });
  assert.deepEqual([refused.status, JSON.parse(refused.text).message], [400, "Slack OAuth error: invalid_code"]);
  answers["/slack.com/api/oauth.v2.access"] = usual;
  assert.ok(!server.log.includes("canary") && !server.log.includes("xoxb-1"));
});

test("the Inbox sees its person's links, without secrets, and no others", async () => {
  const session = async (subscriberId) => {
    const { body } = await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId } }, { key: null });
    return (method, path, json) => server.call(method, `/v1/inbox${path}`, json, { key: null, headers: { Authorization: `Bearer ${body.data.token}` } });
  };
  const [ada, eve] = [await session("ada.l"), await session("eve")];
  const { body } = await ada("GET", "/channel-connections?integrationIdentifier=slack&subscriberId=eve");
  assert.deepEqual(body.data.map((c) => c.workspace), [{ id: "T1", name: "Acme" }]);
  assert.ok(!JSON.stringify(body).includes("xoxb"));
  const { identifier } = body.data[0];
  assert.equal((await eve("GET", "/channel-connections")).body.data.length, 0);
  assert.equal((await eve("GET", "/channel-endpoints?subscriberId=ada.l")).body.data.length, 0);
  for (const method of ["GET", "DELETE"]) {
    const there = await eve(method, `/channel-connections/${identifier}`);
    assert.deepEqual([there.status, there.body.message], [404, `Channel connection not found: ${identifier}`]);
  }
  const endpoints = (await ada("GET", "/channel-endpoints")).body.data;
  assert.deepEqual(endpoints.map((e) => e.type).sort(), ["slack_user", "webex_person", "webhook"]);
  assert.ok(!endpoints.some((e) => "endpoint" in e));
  assert.equal((await eve("DELETE", `/channel-endpoints/${endpoints[0].identifier}`)).status, 404);
  assert.equal((await ada("DELETE", `/channel-endpoints/${endpoints[0].identifier}`)).status, 204);
  assert.equal((await ada("GET", `/channel-connections/${identifier}`)).body.data.identifier, identifier);
  const url = await ada("POST", "/channel-connections/oauth", { integrationIdentifier: "slack", subscriberId: "eve" });
  assert.equal(url.status, 201);
  const state = JSON.parse(Buffer.from(new URL(url.body.data.url).searchParams.get("state"), "base64url").toString().slice(0, -65));
  assert.equal(state.subscriberId, "ada.l");
  const linked = await ada("POST", "/channel-endpoints/link", { integrationIdentifier: "slack" });
  assert.deepEqual([linked.status, linked.body.message], [400, 'Provider "slack" does not support subscriber chat linking via this endpoint.']);
  assert.equal((await ada("DELETE", `/channel-connections/${identifier}`)).status, 204);
});

// Upstream: apps/api/src/app/subscribers/usecases/chat-oauth and chat-oauth-callback.
test("the older dialogue of one subscriber: a hash, Slack, and a webhook", async () => {
  const environmentId = (await server.call("GET", "/v1/environments/me")).body.data._id;
  const hmacHash = (id) => createHmac("sha256", server.dev.secretKey).update(id).digest("hex");
  const path = (id, provider = "slack") => `${server.url}/v1/subscribers/${encodeURIComponent(id)}/credentials/${provider}/oauth`;
  const open = async (id, query, provider) => {
    const response = await fetch(`${path(id, provider)}?${new URLSearchParams(query)}`, { redirect: "manual" });
    return { status: response.status, location: response.headers.get("location"), body: response.status === 302 ? null : await response.json() };
  };
  for (const [query, status, message, provider] of [
    [{}, 422, null],
    [{ environmentId, hmacHash: "" }, 422, null],
    [{ environmentId: "x", hmacHash: "y" }, 422, null],
    [{ environmentId, hmacHash: hmacHash("eve"), integrationIdentifier: "slack" }, 400, "Invalid HMAC hash for subscriber chat OAuth"],
    [{ environmentId, hmacHash: hmacHash("new one") }, 400, "OAuth not supported for provider: discord", "discord"],
    [{ environmentId, hmacHash: hmacHash("new one"), integrationIdentifier: "none" }, 404,
      `Integration in environment ${environmentId} was not found, channel: chat, providerId: slack`],
    [{ environmentId: "65f0c2a1b3d4e5f6ffffffff", hmacHash: hmacHash("new one") }, 404,
      "Integration in environment 65f0c2a1b3d4e5f6ffffffff was not found, channel: chat, providerId: slack"],
    [{ environmentId, hmacHash: hmacHash("new one"), integrationIdentifier: "bare" }, 404, "Slack integration missing required OAuth credentials (clientId)"],
  ]) {
    const reply = await open("new one", query, provider);
    assert.equal(reply.status, status, JSON.stringify(query));
    if (message) assert.equal(reply.body.message, message);
  }
  const begin = async (id = "new one") => {
    const { status, location } = await open(id, { environmentId, integrationIdentifier: "slack", hmacHash: hmacHash(id) });
    assert.equal(status, 302);
    return new URL(location);
  };
  const consent = await begin();
  assert.equal(consent.origin + consent.pathname, "https://slack.com/oauth/v2/authorize");
  const { client_id, scope, redirect_uri, state } = Object.fromEntries(consent.searchParams);
  assert.deepEqual([client_id, scope], ["client", "incoming-webhook"]);
  assert.equal(redirect_uri,
    `https://carillon.example/v1/subscribers/new%20one/credentials/slack/oauth/callback?environmentId=${environmentId}&integrationIdentifier=slack`);
  const comes = async (query, id = "new one") => {
    calls = [];
    const response = await fetch(`${path(id)}/callback?${new URLSearchParams({ environmentId, integrationIdentifier: "slack", ...query })}`, { redirect: "manual" });
    const text = await response.text();
    return { status: response.status, text, message: text.startsWith("{") ? JSON.parse(text).message : null, headers: response.headers };
  };
  const invalid = [400, "Invalid or expired OAuth state parameter"];
  const said = ({ status, message }) => [status, message];
  assert.equal((await comes({ code: "k" })).status, 422);
  assert.equal((await comes({ state })).status, 422);
  assert.deepEqual(said(await comes({ state, code: "k" }, "eve")), invalid);
  assert.deepEqual(said(await comes({ state, code: "k", integrationIdentifier: "bare" })), invalid);
  assert.deepEqual(said(await comes({ state, code: "k", environmentId: "65f0c2a1b3d4e5f6ffffffff" })), invalid);
  assert.deepEqual(said(await comes({ state, error: "access_denied" })), [400, "Provider slack returned error access_denied"]);
  const other = new URL(await connect({ integrationIdentifier: "slack", subscriberId: "ada.l" })).searchParams.get("state");
  assert.equal((await comes({ state: other, code: "k" }, "ada.l")).message, "Invalid OAuth state parameter", "a state of the other dialogue");
  const elsewhere = await server.call("GET", `/v1/integrations/chat/oauth/callback?code=k&state=${encodeURIComponent(state)}`, undefined, { key: null });
  assert.equal(elsewhere.body.message, "Invalid OAuth state parameter");
  assert.deepEqual(calls, [], "nothing was asked yet");

  const good = answers["/slack.com/api/oauth.v2.access"];
  for (const [answer, message] of [
    [{ ok: false, error: "invalid_code", response_metadata: { messages: ["a", "b"] } }, "Provider slack returned error invalid_code, metadata:a, b"],
    [{ ok: true }, "Provider slack did not return a webhook url"],
  ]) {
    answers["/slack.com/api/oauth.v2.access"] = () => answer;
    assert.deepEqual(said(await comes({ state, code: "k" })), [400, message]);
  }
  answers["/slack.com/api/oauth.v2.access"] = good;
  const made = await comes({ state, code: "k" });
  assert.equal(made.status, 200);
  assert.equal(made.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(made.text, /window\.close\(\)/);
  assert.deepEqual(calls[0].form, { code: "k", client_id: "client", client_secret: "secret-canary", redirect_uri });
  const endpoints = async () => (await novu.channelEndpoints.list({ subscriberId: "new one" })).result.data.map((e) => [e.type, e.endpoint.url, e.integrationIdentifier]);
  assert.deepEqual(await endpoints(), [["webhook", "https://hooks.slack.com/x", "slack"]]);
  await comes({ state: (await begin()).searchParams.get("state"), code: "k2" });
  assert.equal((await endpoints()).length, 1, "who connects again has one webhook");
  await server.call("PUT", `/v1/integrations/${(await novu.integrations.list()).result.find((i) => i.identifier === "slack").id}`,
    { credentials: { redirectUrl: "https://acme.example/done" } });
  const sent = await comes({ state: (await begin("ada.l")).searchParams.get("state"), code: "k" }, "ada.l");
  assert.deepEqual([sent.status, sent.headers.get("location")], [302, "https://acme.example/done"]);
});
