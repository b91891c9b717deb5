// Agents and domains of inbound mail through the unmodified client: what is declared is kept; what would need a mail
// server or an agent runtime is refused plainly.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, other;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  other = api(server, server.prod);
});
after(() => server?.stop());

const fails = (promise, status, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.statusCode, status, error.body ?? error.message);
    assert.match(JSON.parse(error.body).message.toString() + error.body, message);
    return true;
  });

test("domains are declared, stay pending, and belong to one environment", async () => {
  const { result } = await novu.domains.create({ name: " Mail.Example.COM ", data: { team: "ops" } });
  assert.deepEqual([result.name, result.status, result.mxRecordConfigured, result.data], ["mail.example.com", "pending", false, { team: "ops" }]);
  await fails(novu.domains.create({ name: "mail.example.com" }), 409, /A domain with name "mail\.example\.com" already exists\./);
  await fails(other.domains.create({ name: "mail.example.com" }), 409, /already exists/);
  await fails(other.domains.retrieve("mail.example.com"), 404, /Domain "mail\.example\.com" not found\./);
  for (const name of ["localhost", "-a.com", "a..com", "a.com.", "a b.com", "a.1", `${"x".repeat(64)}.com`])
    await fails(novu.domains.create({ name }), 422, /valid domain name/);
  await fails(novu.domains.create({ name: "b.example.com", data: { a: "x".repeat(500) } }), 422, /500 characters/);
  await fails(novu.domains.create({ name: "b.example.com", data: Object.fromEntries([...Array(11).keys()].map((i) => [`k${i}`, "v"])) }), 422, /10 keys/);
  assert.deepEqual((await novu.domains.update({ data: { team: "web" } }, "MAIL.example.com")).result.data, { team: "web" });
  assert.equal((await novu.domains.retrieve("mail.example.com")).result.id, result.id);
  assert.deepEqual((await novu.domains.list({ name: "example" })).result.data.map((d) => d.name), ["mail.example.com"]);
  assert.deepEqual((await novu.domains.list({ name: "%" })).result.data, []);
  await fails(novu.domains.verify("mail.example.com"), 400, /MAIL_SERVER_DOMAIN is not defined/);
  await fails(novu.domains.diagnose("mail.example.com"), 400, /MAIL_SERVER_DOMAIN/);
  assert.deepEqual((await novu.domains.autoConfigure.retrieve("mail.example.com")).result.available, false);
  await fails(novu.domains.autoConfigure.start({ redirectUri: "https://x.example" }, "mail.example.com"), 400, /MAIL_SERVER_DOMAIN/);
});

test("routes of a domain, and their test", async () => {
  await novu.agents.create({ name: "Support", identifier: "support" }, "dashboard");
  const routes = novu.domains.routes, domain = "mail.example.com";
  const hook = (await routes.create({ address: " Sales ", type: "webhook", data: { a: "b" } }, domain)).result;
  assert.deepEqual([hook.address, hook.type, hook.agentId, hook.data], ["sales", "webhook", undefined, { a: "b" }]);
  await fails(routes.create({ address: "sales", type: "webhook" }, domain), 409, /sales@mail\.example\.com/);
  await fails(routes.create({ address: "help", type: "agent" }, domain), 422, /agentId is required/);
  await fails(routes.create({ address: "help", type: "agent", agentId: "nobody" }, domain), 404, /Agent with identifier "nobody" was not found\./);
  await fails(routes.create({ address: "a@b", type: "webhook" }, domain), 422, /local part/);
  assert.equal((await routes.create({ address: "*", type: "agent", agentId: "support" }, domain)).result.agentId, "support");
  assert.deepEqual((await routes.list({ domain })).result.data.map((r) => r.address), ["*", "sales"]);
  assert.deepEqual((await routes.list({ domain, agentId: "support" })).result.data.map((r) => r.address), ["*"]);
  const mail = { from: { address: "p@example.org" }, subject: "Hi", text: "Hello" };
  const dry = (await routes.test({ ...mail, dryRun: true }, domain, "*")).result;
  assert.deepEqual([dry.matched, dry.dryRun, dry.type, dry.wouldDeliverTo, dry.payload.subject], [true, true, "agent", "support", "Hi"]);
  await fails(routes.test(mail, domain, "*"), 400, /dryRun/);
  assert.equal((await routes.test(mail, domain, "sales")).result.webhook.skipped, true);
  await fails(routes.test(mail, domain, "none"), 404, /Route "none@mail\.example\.com" not found\./);
  const moved = (await routes.update({ type: "agent", agentId: "support" }, domain, "sales")).result;
  assert.deepEqual([moved.id, moved.type, moved.agentId], [hook.id, "agent", "support"]);
  await routes.update({ type: "webhook" }, domain, "sales");
  assert.equal((await routes.retrieve(domain, "sales")).result.agentId, undefined);
  await novu.agents.delete("support", "false");
  assert.deepEqual((await routes.list({ domain })).result.data.map((r) => r.address), ["sales"], "a route to a deleted agent goes with it");
  await routes.delete(domain, "sales");
  await fails(routes.retrieve(domain, "sales"), 404, /Route "sales@mail\.example\.com" not found\./);
  await novu.domains.delete(domain);
  await fails(novu.domains.retrieve(domain), 404, /not found/);
});

test("agents and what they speak through", async () => {
  const made = (await novu.agents.create({ name: "Helper", identifier: "helper", description: "Helps" }, "dashboard")).result;
  assert.deepEqual([made.active, made.runtime, made.behavior, made.description], [true, "self-hosted", { acknowledgeOnReceived: true }, "Helps"]);
  assert.match((await novu.agents.create({ name: "Helper", identifier: "helper" }, "dashboard")).result.identifier, /^helper-\w{4}$/);
  for (const identifier of ["-a", "a--b", "a b", "a_", "ä"])
    await fails(novu.agents.create({ name: "x", identifier }, "x"), 422, /identifier/);
  await fails(novu.agents.create({ name: "x".repeat(61), identifier: "long" }, "x"), 422, /60 characters/);
  await fails(novu.agents.create({ name: "M", identifier: "m", runtime: "managed" }, "x"), 422, /managedRuntime/);
  await fails(novu.agents.create({ name: "M", identifier: "m", runtime: "managed", managedRuntime: { providerId: "anthropic", integrationId: "x" } }, "x"), 400, /Managed agents/);
  await fails(novu.agents.update({}, "helper"), 400, /At least one field must be provided\./);
  await fails(novu.agents.update({ name: "x" }, "nobody"), 404, /Agent with identifier "nobody" was not found\./);
  await fails(other.agents.retrieve("helper"), 404, /was not found/);
  const changed = (await novu.agents.update({ active: false, behavior: { subscriberAccess: "restricted" } }, "helper")).result;
  assert.deepEqual([changed.active, changed.name, changed.behavior], [false, "Helper", { acknowledgeOnReceived: true, subscriberAccess: "restricted" }]);
  await fails(novu.agents.updateBridge({ bridgeUrl: "ftp://x" }, "helper"), 422, /bridgeUrl/);
  const bridge = (await novu.agents.updateBridge({ bridgeUrl: "https://bridge.example.com/api", devBridgeActive: true }, "helper")).result;
  assert.deepEqual([bridge.bridgeUrl, bridge.devBridgeActive], ["https://bridge.example.com/api", true]);

  const integration = async (providerId, channel) =>
    (await novu.integrations.create({ providerId, channel, active: true, credentials: {} })).result;
  const slack = await integration("slack", "chat"), mail = await integration("sendgrid", "email"), mail2 = await integration("mailgun", "email");
  const links = novu.agents.integrations;
  const link = (await links.create({ integrationIdentifier: slack.identifier }, "helper")).result;
  assert.deepEqual([link.agentId, link.integration.id, link.integration.channel], [made.id, slack.id, "chat"]);
  await fails(links.create({}, "helper"), 400, /Either .* must be provided\./);
  await fails(links.create({ integrationIdentifier: "a", providerId: "b" }, "helper"), 400, /exactly one/);
  await fails(links.create({ integrationIdentifier: "a" }, "helper"), 404, /Integration \\?"a\\?" was not found/);
  await fails(links.create({ integrationIdentifier: slack.identifier }, "helper"), 409, /already linked/);
  await links.create({ providerId: "sendgrid" }, "helper");
  await fails(links.create({ integrationIdentifier: mail2.identifier }, "helper"), 409, /already has an email integration/);
  assert.deepEqual((await novu.agents.retrieve("helper")).result.integrations.map((i) => i.providerId).sort(), ["sendgrid", "slack"]);
  assert.deepEqual((await links.list({ identifier: "helper", integrationIdentifier: mail.identifier })).result.data.length, 1);
  const mine = (await links.list({ identifier: "helper" })).result;
  assert.deepEqual([mine.totalCount, mine.data.length], [2, 2]);
  const mailLink = mine.data.find((l) => l.integration.channel === "email");
  const swapped = (await links.update({ identifier: "helper", agentIntegrationId: mailLink.id, updateAgentIntegrationRequestDto: { integrationIdentifier: mail2.identifier } })).result;
  assert.deepEqual([swapped.id, swapped.integration.id], [mailLink.id, mail2.id]);
  await novu.integrations.delete(mail2.id);
  assert.equal((await links.list({ identifier: "helper" })).result.totalCount, 1, "a link goes with its integration");
  await links.delete("helper", link.id);
  await fails(links.delete("helper", link.id), 404, /Agent integration/);
  const say = (body) => novu.agents.sendReply({ conversationId: "c", integrationIdentifier: "i", ...body }, "helper");
  await fails(say({}), 400, /At least one of reply/);
  const edit = { messageId: "m", content: { markdown: "b" } };
  const flaws = [
    [{ signals: [], addReactions: [] }, 400, /^At least one of reply/],
    [{ reply: { markdown: "a" }, edit }, 400, /^Only one of reply or edit can be provided$/],
    [{ edit, signals: [{ type: "metadata", key: "k", value: "v" }] }, 400, /^edit cannot be combined with resolve, signals/],
    [{ edit, addReactions: [{ messageId: "m", emojiName: "thumbs_up" }] }, 400, /^edit cannot be combined/],
    [{ edit, signals: [] }, 404, /was not found/],
    [{ typing: { status: "on" } }, 404, /was not found/],
  ];
  for (const [body, status, message] of flaws) {
    const answer = await server.call("POST", "/v1/agents/helper/reply", { conversationId: "c", integrationIdentifier: "i", ...body });
    assert.equal(answer.status, status, JSON.stringify(body));
    assert.match(answer.body.message, message);
  }
  await fails(say({ reply: { markdown: "Hi" } }), 404, /Conversation \\?"c\\?" was not found/);
  assert.deepEqual((await novu.agents.list({ identifier: "helper" })).result.data.length, 2);
  await novu.agents.delete("helper", "false");
  await fails(novu.agents.retrieve("helper"), 404, /was not found/);
});

test("an integration of agents delivers no steps", async () => {
  const create = (more) => novu.integrations.create({ providerId: "twilio", channel: "sms", active: true, credentials: {}, ...more });
  const agents = (await create({ kind: "agent" })).result;
  assert.deepEqual([agents.kind, agents.primary], ["agent", false]);
  await fails(novu.integrations.setAsPrimary(agents.id), 400, /cannot be primary/);
  const steps = (await create({})).result;
  assert.deepEqual([steps.kind, steps.primary], ["delivery", true]);
  assert.equal((await server.call("POST", "/v1/integrations", { providerId: "twilio", kind: "other" })).status, 422);
});
