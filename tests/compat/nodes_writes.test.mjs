// Two processes on one PostgreSQL change the same configuration at the same moment: what each of them changed is kept, and of what
// there is one (a primary, a default, an identifier, a name) there is still one. People are in people_nodes.test.mjs.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startPair } from "./postgres.mjs";
import { until } from "./carillon.mjs";

const ROUNDS = 5;
let pair, call;
before(async () => {
  pair = await startPair();
  call = (i, ...request) => [pair.one, pair.two][i % 2].call(...request);
});
after(() => pair?.stop());

const done = (answer) => (assert.ok(answer.status < 300, answer.text), answer.body?.data ?? answer.body);
const read = async (path) => done(await call(1, "GET", path));
const make = async (path, body) => done(await call(0, "POST", path, body));
/** The n-th of them is asked of the n-th process, all at once. */
const atOnce = (requests) => Promise.all(requests.map((request, i) => call(i, ...request)));
/** Every change of one resource, in both orders of the processes; all have been taken. */
async function changed(method, path, bodies) {
  for (const answer of await atOnce([...bodies, ...bodies].map((body) => [method, path, body]))) done(answer);
}
const rounds = async (fn, n = ROUNDS) => {
  for (let round = 0; round < n; round++) await fn(round);
};
const members = (o, ...names) => names.map((name) => o[name]);

test("workflows: fields, on and off in the older form, identifiers", () => rounds(async (round) => {
  const workflow = { name: "W", workflowId: `w-${round}`, active: true, steps: [{ type: "in_app", name: "S", controlValues: { body: "b" } }] };
  const { _id } = await make("/v2/workflows", workflow), path = `/v2/workflows/${_id}`;
  await changed("PATCH", path, [{ name: "N" }, { description: "D" }, { tags: ["t"] }, { validatePayload: true },
    { payloadSchema: { type: "object", properties: { a: { type: "string" } } } }]);
  const now = await read(path);
  assert.deepEqual(members(now, "name", "description", "tags", "validatePayload"), ["N", "D", ["t"], true]);
  assert.deepEqual(now.payloadSchema?.properties, { a: { type: "string" } });
  const answers = await atOnce([["PUT", `/v1/workflows/${_id}/status`, { active: false }], ["PATCH", path, { name: "N2" }], ["PATCH", path, { description: "D2" }],
    ["PATCH", path, { tags: [] }]]);
  answers.forEach(done);
  assert.deepEqual(members(await read(path), "active", "name", "description", "tags"), [false, "N2", "D2", []]);
  const copies = (await atOnce(Array.from({ length: 6 }, () => ["POST", "/v2/workflows", { ...workflow, workflowId: `same-${round}` }]))).map(done);
  assert.equal(new Set(copies.map((c) => c.workflowId)).size, 6);
}));

test("publishing twice at once, beside changes", () => rounds(async (round) => {
  const { _id } = await make("/v2/workflows", { name: "P", workflowId: `p-${round}`, active: true, steps: [{ type: "in_app", name: "S", controlValues: { body: "b" } }] });
  const publish = ["POST", `/v2/environments/${pair.one.prod._id}/publish`, { sourceEnvironmentId: pair.one.dev._id }];
  for (const answer of await atOnce([publish, publish, ["PATCH", `/v2/workflows/${_id}`, { description: "D" }], publish]))
    assert.equal(done(answer).summary?.failed ?? 0, 0, answer.text);
  const { workflows } = done(await pair.two.call("GET", `/v2/workflows?query=p-${round}`, undefined, { key: pair.one.prod.secretKey }));
  assert.equal(workflows.length, 1);
  assert.equal((await read(`/v2/workflows/${_id}`)).description, "D");
}));

const primaries = (list, channel = "email") => list.filter((i) => i.channel === channel && i.primary);

test("integrations: fields of one", () => rounds(async (round) => {
  const { _id } = await make("/v1/integrations", { providerId: "sendgrid", channel: "email", identifier: `s-${round}`, name: "S", credentials: {}, active: false, check: false });
  await changed("PUT", `/v1/integrations/${_id}`, [{ name: "N", check: false }, { active: true, check: false }, { configurations: { note: "c" }, check: false },
    { credentials: { apiKey: "k" }, check: false }]);
  const now = (await read("/v1/integrations")).find((i) => i._id === _id);
  assert.deepEqual(members(now, "name", "active", "configurations"), ["N", true, { note: "c" }]);
}));

test("integrations: exactly one is primary, whatever is made, switched, chosen and deleted at once", () => rounds(async (round) => {
  const body = (i) => ({ providerId: "twilio", channel: "sms", identifier: `t-${round}-${i}`, credentials: {}, active: true, check: false });
  const made = (await atOnce(Array.from({ length: 6 }, (_, i) => ["POST", "/v1/integrations", body(i)]))).map(done);
  const one = async (what) => {
    const list = await read("/v1/integrations"), active = list.filter((i) => i.channel === "sms" && i.active);
    assert.equal(primaries(list, "sms").length, active.length ? 1 : 0, what);
    assert.equal(new Set(active.map((i) => i.priority)).size, active.length, `${what}: priorities`);
  };
  await one("made");
  (await atOnce(made.map(({ _id }) => ["POST", `/v1/integrations/${_id}/set-primary`]))).forEach(done);
  await one("chosen");
  const path = (i) => `/v1/integrations/${made[i]._id}`;
  (await atOnce([["PUT", path(0), { active: false, check: false }], ["POST", `${path(1)}/set-primary`], ["PUT", path(1), { name: "N", check: false }],
    ["PUT", path(2), { active: false, check: false }], ["POST", `${path(3)}/set-primary`], ["DELETE", path(4)]])).forEach(done);
  await one("switched");
  assert.equal((await read("/v1/integrations")).find((i) => i._id === made[1]._id).name, "N");
  (await atOnce([0, 1, 2, 3, 5].map((i) => ["DELETE", path(i)]))).forEach(done);
  await one("deleted");
}));

test("layouts: fields, and one default", () => rounds(async (round) => {
  const made = [];
  for (let i = 0; i < 4; i++) made.push(await make("/v1/layouts", { name: "L", identifier: `l-${round}-${i}`, content: "<p>{{{body}}}</p>" }));
  const path = `/v1/layouts/${made[0]._id}`;
  await changed("PATCH", path, [{ name: "N" }, { description: "D" }, { content: "<b>{{{body}}}</b>" }]);
  const now = await read(path);
  assert.deepEqual(members(now, "name", "description"), ["N", "D"]);
  assert.match(now.content, /<b>/);
  (await atOnce(made.map(({ _id }) => ["POST", `/v1/layouts/${_id}/default`]))).forEach(done);
  assert.equal(pair.sql("SELECT count(*) FROM layouts WHERE is_default = 1"), "1");
  const v2 = await make("/v2/layouts", { name: "V", layoutId: `v-${round}` });
  (await atOnce([["PUT", `/v2/layouts/${v2._id}`, { name: "V2", isTranslationEnabled: true }],
    ["PUT", `/v2/layouts/${v2._id}`, { name: "V2", controlValues: { email: { body: "<html><body><i>{{content}}</i></body></html>", editorType: "html" } } }]])).forEach(done);
  const after = await read(`/v2/layouts/${v2._id}`);
  assert.ok(after.isTranslationEnabled, "the switch");
  assert.match(JSON.stringify(after.controls.values), /<i>/);
  for (const { _id } of made.slice(0, 3)) await call(0, "DELETE", `/v1/layouts/${_id}`);
}));

test("translations of several locales", () => rounds(async (round) => {
  const { workflowId } = await make("/v2/workflows", { name: "T", workflowId: `tr-${round}`, isTranslationEnabled: true, steps: [] });
  const locales = ["de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "da_DK"];
  (await atOnce(locales.map((locale) => ["POST", "/v2/translations", { resourceId: workflowId, resourceType: "workflow", locale, content: { a: locale } }]))).forEach(done);
  for (const locale of locales) assert.deepEqual((await read(`/v2/translations/workflow/${workflowId}/${locale}`)).content, { a: locale });
}));

test("the environment: its settings, and names that are there once", () => rounds(async (round) => {
  const path = `/v1/environments/${pair.one.dev._id}`, on = round % 2 === 0;
  await changed("PUT", path, [{ settings: { workflowChannelOffIsFinal: on } }, { settings: { strictSubscriberIds: on } }, { color: `#00000${round}` },
    { dns: { inboundParseDomain: `d${round}.example.com` } }, { settings: { acceptsPublishByApiKey: true } }]);
  const now = done(await call(0, "GET", "/v1/environments/me"));
  assert.deepEqual(members(now.settings, "workflowChannelOffIsFinal", "strictSubscriberIds"), [on, on]);
  assert.deepEqual([now.color, now.dns.inboundParseDomain], [`#00000${round}`, `d${round}.example.com`]);
  if (round > 3) return;
  const create = ["POST", "/v1/environments", { name: `Twin ${round}`, color: "#123456" }];
  const statuses = (await atOnce([create, create, create, create])).map((a) => a.status).sort();
  assert.deepEqual(statuses, [201, 400, 400, 400]);
}));

test("the organization: settings, name and branding", () => rounds(async (round) => {
  const locale = ["de_DE", "fr_FR"][round % 2], on = round % 2 === 0;
  const requests = [["PATCH", "/v1/organizations/settings", { defaultLocale: locale }], ["PATCH", "/v1/organizations/settings", { removeNovuBranding: on }],
    ["PATCH", "/v1/organizations/settings", { targetLocales: [locale] }], ["PATCH", "/v1/organizations", { name: `O ${round}` }],
    ["PUT", "/v1/organizations/branding", { color: `#00000${round}` }]];
  (await atOnce([...requests, ...requests])).forEach(done);
  const settings = await read("/v1/organizations/settings"), organization = await read("/v1/organizations/me");
  assert.deepEqual(members(settings, "defaultLocale", "removeNovuBranding", "targetLocales"), [locale, on, [locale]]);
  assert.deepEqual([organization.name, organization.branding.color], [`O ${round}`, `#00000${round}`]);
}));

test("variables of one key, tenants and their overrides", () => rounds(async (round) => {
  const variable = ["POST", "/v1/environment-variables", { key: `KEY_${round}`, values: [{ _environmentId: pair.one.dev._id, value: "v" }] }];
  assert.deepEqual((await atOnce([variable, variable, variable])).map((a) => a.status).sort(), [200, 409, 409]);
  const tenant = await make("/v1/tenants", { identifier: `t-${round}`, name: "T" });
  await changed("PATCH", `/v1/tenants/t-${round}`, [{ name: "N" }, { data: { a: 1 } }]);
  assert.deepEqual(members(await read(`/v1/tenants/t-${round}`), "name", "data"), ["N", { a: 1 }]);
  const workflow = await make("/v2/workflows", { name: "O", workflowId: `o-${round}`, steps: [] });
  const override = await make("/v1/workflow-overrides", { workflowId: workflow._id, tenantId: tenant._id, active: true });
  await changed("PUT", `/v1/workflow-overrides/${override._id}`, [{ active: false }, { preferenceSettings: { email: false } }]);
  const now = await read(`/v1/workflow-overrides/${override._id}`);
  assert.deepEqual([now.active, now.preferenceSettings.email], [false, false]);
}));

test("webhook endpoints: fields, a new secret, and not more than there may be", () => rounds(async (round) => {
  const base = "/v2/outbound-webhooks/endpoints", url = "https://example.com/hook", { _id } = await make(base, { url });
  const path = `${base}/${_id}`, before = (await read(`${path}/secret`)).secret;
  const bodies = [{ description: "D" }, { url: `${url}/2` }, { disabled: true }, { rateLimit: 7 }];
  (await atOnce([...bodies.map((b) => ["PATCH", path, b]), ["POST", `${path}/secret/rotate`, {}], ...bodies.map((b) => ["PATCH", path, b])])).forEach(done);
  assert.deepEqual(members(await read(path), "description", "url", "disabled", "rateLimit"), ["D", `${url}/2`, true, 7]);
  assert.notEqual((await read(`${path}/secret`)).secret, before);
}));

test("contexts, agents and their mail routes", () => rounds(async (round) => {
  await make("/v2/contexts", { type: "team", id: `c-${round}`, data: {} });
  await changed("PATCH", `/v2/contexts/team/c-${round}`, [{ data: { a: 1 }, bridgeUrl: "https://example.com/b" }, { data: { a: 1 } }, { data: { a: 1 } }]);
  assert.equal((await read(`/v2/contexts/team/c-${round}`)).bridgeUrl, "https://example.com/b");
  const twice = ["POST", "/v2/contexts", { type: "team", id: `twin-${round}` }];
  assert.deepEqual((await atOnce([twice, twice, twice])).map((a) => a.status).sort(), [201, 409, 409]);
  await make("/v1/agents", { identifier: `a-${round}`, name: "A" });
  await changed("PATCH", `/v1/agents/a-${round}`, [{ name: "N" }, { description: "D" }, { active: false }]);
  assert.deepEqual(members(await read(`/v1/agents/a-${round}`), "name", "description", "active"), ["N", "D", false]);
}));

test("channel connections and endpoints: there is one of what there may be one", async () => {
  await make("/v1/integrations", { providerId: "slack", channel: "chat", identifier: "slack", credentials: {}, active: true, check: false });
  await rounds(async (round) => {
    const { subscriberId } = await make("/v2/subscribers", { subscriberId: `linked-${round}` });
    const connection = (i) => ["POST", "/v1/channel-connections", { identifier: `n-${round}-${i}`, subscriberId, integrationIdentifier: "slack",
      workspace: { id: `w${round}` }, auth: { accessToken: "t" } }];
    const statuses = (await atOnce([1, 1, 2, 3].map(connection))).map((a) => a.status).sort();
    assert.deepEqual(statuses, [201, 409, 409, 409], "one of a person, an integration and a context, too");
    const endpoint = ["POST", "/v1/channel-endpoints", { identifier: `e-${round}`, subscriberId, integrationIdentifier: "slack", type: "webhook",
      endpoint: { url: "https://hooks.slack.com/x" } }];
    assert.deepEqual((await atOnce([endpoint, endpoint, endpoint])).map((a) => a.status).sort(), [201, 409, 409]);
  });
});

test("what somebody did with a message in two tabs", async () => {
  const session = { applicationIdentifier: pair.one.dev.applicationIdentifier, subscriber: "reader" };
  const { token } = done(await call(0, "POST", "/v1/inbox/session", session, { key: null }));
  const as = { key: null, headers: { Authorization: `Bearer ${token}` } }, base = "/v1/inbox/notifications";
  await make("/v2/workflows", { name: "Bell", workflowId: "bell", active: true, steps: [{ type: "in_app", name: "S",
    controlValues: { body: "b", primaryAction: { label: "Yes" } } }] });
  await rounds(async (round) => {
    await make("/v1/events/trigger", { name: "bell", to: "reader", transactionId: `m-${round}` });
    const { id } = await until(async () => (done(await call(1, "GET", `${base}?limit=1`, undefined, as)))[0], "the message");
    const path = `${base}/${id}`;
    const deeds = [["PATCH", `${path}/read`], ["PATCH", `${path}/complete`, { actionType: "primary" }], ["PATCH", `${path}/archive`]];
    const answers = await Promise.all([...deeds, ...deeds.toReversed()].map(([method, at, body], i) => call(i >> 1, method, at, body, as)));
    answers.forEach(done);
    const [now] = done(await call(1, "GET", `${base}?limit=10&archived=true`, undefined, as));
    assert.deepEqual([now.id, now.isRead, now.isArchived, now.primaryAction.isCompleted], [id, true, true, true]);
    done(await call(0, "DELETE", `${path}/delete`, undefined, as));
  }, 20);
});
