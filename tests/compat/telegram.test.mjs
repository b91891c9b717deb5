// Telegram: a bot's webhook is set up, a person opens the link, the chat is linked, and messages reach it.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, telegram, integration;
let asked = [], refuses = false;
before(async () => {
  telegram = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const method = request.url.split("/").at(-1);
    asked.push({ url: request.url, method, body: JSON.parse(text) });
    response.setHeader("Content-Type", "application/json");
    if (refuses) return response.writeHead(401).end(JSON.stringify({ ok: false, error_code: 401, description: "Unauthorized" }));
    const result = { getMe: { id: 1, is_bot: true, username: "acme_bot" }, setWebhook: true, sendMessage: { message_id: 9 } }[method];
    response.end(JSON.stringify({ ok: true, result }));
  }).listen(0, "127.0.0.1");
  await once(telegram, "listening");
  server = await Carillon.start({ env: { CARILLON_DELIVERY_SINK: `http://127.0.0.1:${telegram.address().port}` }, args: ["--clock", "virtual"] });
  novu = api(server);
  await novu.subscribers.create({ subscriberId: "ada.l" });
  await novu.workflows.create({ name: "Chat", workflowId: "chat", active: true, steps: [{ name: "Chat", type: "chat", controlValues: { body: "Hello" } }] });
  const reply = await server.call("POST", "/v1/integrations", { providerId: "telegram", channel: "chat", identifier: "bot", active: true, check: false, credentials: { apiToken: "1:secret-token" } });
  assert.equal(reply.status, 201, reply.text);
  integration = reply.body.data;
});
after(async () => {
  await server?.stop();
  telegram?.closeAllConnections();
  telegram?.close();
});

const link = (body) => server.call("POST", "/v1/integrations/channel-endpoints/link", { integrationIdentifier: "bot", subscriberId: "ada.l", ...body });
const endpoints = async () => (await server.call("GET", "/v1/channel-endpoints?subscriberId=ada.l")).body.data;
let hook, secret;
const hears = (message, headers = { "X-Telegram-Bot-Api-Secret-Token": secret }) =>
  server.call("POST", new URL(hook).pathname, { update_id: 1, message: { message_id: 1, chat: { id: 77, type: "private" }, ...message } }, { key: null, headers });

test("the webhook is set up with a secret of its own", async () => {
  const { result } = await novu.integrations.integrationsControllerConfigureIntegrationWebhook("bot");
  assert.equal(result.botUsername, "acme_bot");
  assert.deepEqual(asked.map((a) => a.method), ["getMe", "setWebhook"]);
  assert.equal(asked[0].url, "/api.telegram.org/bot1:secret-token/getMe");
  ({ url: hook, secret_token: secret } = asked[1].body);
  assert.equal(hook, result.webhookUrl);
  assert.deepEqual(asked[1].body.allowed_updates, ["message"]);
  assert.match(secret, /^[A-Za-z0-9_-]{16,256}$/);
  assert.ok(!secret.includes("secret-token"));
});

test("a link starts the bot; its code links the chat, once", async () => {
  const { result } = await novu.integrations.linkChannelEndpoint({ integrationIdentifier: "bot", subscriberId: "ada.l" });
  const url = new URL(result.url), code = url.searchParams.get("start");
  assert.equal(url.origin + url.pathname, "https://t.me/acme_bot");
  assert.match(code, /^[A-Za-z0-9_-]{1,64}$/);
  assert.equal(result.providerMetadata.botUsername, "acme_bot");
  assert.equal((await hears({ text: `/start ${code}` }, {})).status, 401);
  assert.equal((await hears({ text: `/start ${code}` }, { "X-Telegram-Bot-Api-Secret-Token": secret.slice(1) })).status, 401);
  for (const message of [{ text: "hi" }, { text: "/start" }, { text: `/start ${code}`, chat: { id: -5, type: "group" } }, {}])
    assert.deepEqual((await hears(message)).body, {});
  assert.match((await hears({ text: "/start nonsense" })).body.text, /expired/);
  assert.deepEqual(await endpoints(), []);
  const good = (await hears({ text: `/start ${code}` })).body;
  assert.deepEqual([good.method, good.chat_id, good.text], ["sendMessage", "77", "You are connected: notifications will reach you here."]);
  assert.deepEqual((await endpoints()).map((e) => [e.type, e.endpoint.chatId]), [["telegram_chat", "77"]]);
  assert.match((await hears({ text: `/start ${code}`, chat: { id: 78, type: "private" } })).body.text, /expired/);
  asked = [];
  await server.call("POST", "/v1/events/trigger", { name: "chat", to: "ada.l", transactionId: "t-1" });
  await until(() => asked.length === 1, "the message");
  assert.deepEqual(asked[0].body, { chat_id: "77", text: "Hello" });
});

test("who links again moves; another context is another chat", async () => {
  const again = async (chat, body) => {
    const code = new URL((await link(body)).body.data.url).searchParams.get("start");
    return hears({ text: `/start ${code}`, chat: { id: chat, type: "private" } });
  };
  await again(79);
  assert.deepEqual((await endpoints()).map((e) => e.endpoint.chatId), ["79"]);
  await again(80, { context: { tenant: "acme" } });
  assert.deepEqual((await endpoints()).map((e) => [e.endpoint.chatId, e.contextKeys]).sort(), [["79", []], ["80", ["tenant:acme"]]]);
});

test("a code is good for ten minutes, and of nobody who is gone", async () => {
  const late = new URL((await link()).body.data.url).searchParams.get("start");
  await server.call("POST", "/v1/testing/clock", { advance: "PT10M1S" });
  assert.match((await hears({ text: `/start ${late}` })).body.text, /expired/);
  await novu.subscribers.create({ subscriberId: "gone" });
  const gone = new URL((await link({ subscriberId: "gone" })).body.data.url).searchParams.get("start");
  await novu.subscribers.delete("gone");
  assert.match((await hears({ text: `/start ${gone}` })).body.text, /expired/);
});

test("what cannot be is refused by name, without the token", async () => {
  assert.equal((await link({ subscriberId: "nobody" })).status, 404);
  assert.equal((await link({ context: { tenant: 5 } })).status, 422);
  await server.call("POST", "/v1/integrations", { providerId: "telegram", channel: "chat", identifier: "bare", active: true, check: false, credentials: {} });
  const bare = await link({ integrationIdentifier: "bare" });
  assert.deepEqual([bare.status, bare.body.message], [400, "Telegram integration is missing its bot token (apiToken)"]);
  refuses = true;
  const refused = await link();
  assert.deepEqual([refused.status, refused.body.message], [400, "Telegram refused: Unauthorized"]);
  assert.ok(!refused.text.includes("secret-token"));
});

// Shapes: upstream's apps/api/src/app/integrations/integrations-mobile-configure-public.controller.ts.
test("a phone's link: its page, its state, and the bot's token by it, once", async () => {
  refuses = false;
  await server.call("POST", "/v1/integrations", { providerId: "telegram", channel: "chat", identifier: "later", name: "Support", active: true, check: false, credentials: {} });
  const issue = async (body = {}) => (await novu.integrations.createMobileLink(body, "later")).result;
  const open = (method, path, body) => server.call(method, path, body, { key: null });
  const status = async (token, more = "") => (await open("GET", `/v1/integrations/mobile-configure/status?token=${token}${more}`)).body.data;
  const enter = (token, botToken) => open("POST", "/v1/integrations/mobile-configure", { token, botToken });
  const good = "12345678:AAEabcdefghijklmnopqrstuvwxyz0123456789";

  const { token, url, expiresAt } = await issue({ subscriberId: "ada.l" });
  const { body: clock } = await server.call("GET", "/v1/testing/clock");
  assert.equal(Date.parse(expiresAt) - Date.parse(clock.data?.now ?? clock.now), 5 * 60_000);
  assert.match(token, /^[A-Za-z0-9]{32}$/);
  assert.equal(new URL(url).pathname, `/telegram/connect/${token}`);
  const page = await fetch(`${server.url}/telegram/connect/${token}`);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(await page.text(), /BotFather/);
  assert.deepEqual(await status(token), { valid: true, agentName: "Support", providerName: "telegram" });

  asked = [];
  assert.equal((await enter(token, "nonsense")).status, 422);
  assert.equal((await enter(undefined, good)).status, 422);
  assert.deepEqual(asked, []);
  refuses = true;
  assert.equal((await enter(token, good)).body.message, "Telegram refused: Unauthorized");
  refuses = false;
  assert.equal((await status(token)).valid, true, "what failed leaves the link good");
  const done = await enter(token, good);
  assert.equal(done.status, 200, done.text);
  const { success, botUsername, webhookUrl, deepLinkUrl } = done.body.data;
  assert.deepEqual([success, botUsername, done.body.data.integrationIdentifier], [true, "acme_bot", "later"]);
  ({ url: hook, secret_token: secret } = asked.at(-1).body);
  assert.equal(webhookUrl, hook);
  const code = new URL(deepLinkUrl).searchParams.get("start");
  assert.match((await hears({ text: `/start ${code}`, chat: { id: 90, type: "private" } })).body.text, /You are connected/);
  assert.ok((await endpoints()).some((e) => e.endpoint.chatId === "90"));

  assert.deepEqual(await status(token), { valid: false, reason: "used" });
  const again = await enter(token, good);
  assert.deepEqual([again.status, again.body.code], [409, "token_already_used"]);
  assert.deepEqual(await status("short"), { valid: false, reason: "invalid" });
  const older = await open("GET", `/v1/integrations/telegram/mobile-configure/status?token=${token}`);
  assert.deepEqual(older.body.data, { valid: false, reason: "used" });
  assert.deepEqual([(await enter("short", good)).status, (await enter("short", good)).body.code], [401, "token_invalid"]);

  const second = await issue({ subscriberId: "nobody" });
  await server.call("POST", "/v1/testing/clock", { advance: "PT4M" });
  assert.equal((await status(second.token, "&extend=1")).valid, true);
  await server.call("POST", "/v1/testing/clock", { advance: "PT4M" });
  assert.equal((await enter(second.token, good)).body.data.deepLinkUrl, undefined);
  const third = await issue();
  for (let minutes = 0; minutes < 28; minutes += 4) {
    assert.equal((await status(third.token, "&extend=true")).valid, true, `${minutes} minutes`);
    await server.call("POST", "/v1/testing/clock", { advance: "PT4M" });
  }
  await status(third.token, "&extend=1");
  await server.call("POST", "/v1/testing/clock", { advance: "PT2M1S" });
  assert.deepEqual(await status(third.token, "&extend=1"), { valid: false, reason: "expired" });
  assert.deepEqual([(await enter(third.token, good)).status, (await enter(third.token, good)).body.code], [401, "token_expired"]);
});
