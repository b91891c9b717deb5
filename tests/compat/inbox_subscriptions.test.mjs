// Topic subscriptions from the browser: @novu/js 3.19.2 (inbox-realtime.md §2.10).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api, inbox } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  const step = { name: "Bell", type: "in_app", controlValues: { body: "news" } };
  for (const [workflowId, tags] of [["wf-one", ["x"]], ["wf-two", ["x", "y"]], ["wf-three", []]]) {
    await novu.workflows.create({ name: workflowId, workflowId, active: true, tags, steps: [step] });
  }
});
after(() => server?.stop());
const connect = (subscriber, more) => inbox(server, subscriber, more);
const ok = ({ data, error }) => {
  assert.equal(error, undefined, error?.originalError?.message ?? error?.message);
  return data;
};
const names = (s) => (s.preferences ?? []).map((p) => p.workflow.identifier).sort();

test("one subscribes without an identifier, is found, changed and deleted", async () => {
  const client = connect("sub-1");
  assert.deepEqual(ok(await client.subscriptions.list({ topicKey: "t1" })), []);
  assert.equal(ok(await client.subscriptions.get({ topicKey: "t1", identifier: "tk_t1:si_sub-1" })), null);
  const made = ok(await client.subscriptions.create({ topicKey: "t1", topicName: "Topic one", name: "mine", preferences: ["wf-one"] }));
  assert.equal(made.identifier, "tk_t1:si_sub-1");
  assert.deepEqual(names(made), ["wf-one"]);
  assert.equal((await novu.topics.get("t1")).result.name, "Topic one");
  const again = ok(await client.subscriptions.create({ topicKey: "t1" }));
  assert.equal(again.id, made.id);
  assert.deepEqual(names(again), ["wf-one"], "what is there stays as it is");

  const get = (more) => client.subscriptions.get({ topicKey: "t1", identifier: made.identifier, ...more }, { refetch: true });
  assert.deepEqual(names(ok(await get({ workflowIds: ["wf-one", "wf-three"], tags: ["y"] }))), ["wf-one", "wf-three", "wf-two"]);
  assert.deepEqual(names(ok(await get({}))), ["wf-one"]);

  const off = ok(await made.updatePreference({ workflowId: "wf-one", value: false }));
  assert.equal(off.subscriptionId, made.identifier);
  assert.equal(off.enabled, false);
  const rule = { "==": [{ var: "payload.city" }, "Rome"] };
  const [bulk] = ok(await made.bulkUpdatePreferences([{ workflowId: "wf-one", value: rule }]));
  assert.deepEqual(bulk.condition, rule);
  const changed = ok(await client.subscriptions.update({ topicKey: "t1", identifier: made.identifier, preferences: [{ filter: { tags: ["x"] }, enabled: true }] }));
  assert.deepEqual(names(changed), ["wf-one", "wf-two"]);
  ok(await client.subscriptions.delete({ topicKey: "t1", identifier: made.identifier }));
  assert.equal(ok(await get({})), null);
});

test("a subscription's conditions decide who is reached", async () => {
  const client = connect("picky");
  const rule = { "==": [{ var: "payload.city" }, "Rome"] };
  ok(await client.subscriptions.create({ topicKey: "cities", preferences: [{ workflowId: "wf-one", condition: rule }] }));
  const send = (city) => novu.trigger({ workflowId: "wf-one", to: { type: "Topic", topicKey: "cities" }, payload: { city }, transactionId: city });
  await send("Oslo");
  await send("Rome");
  const list = async () => ok(await client.notifications.list({ useCache: false })).notifications.map((n) => n.transactionId);
  await until(async () => (await list()).includes("Rome"), "the message of Rome");
  assert.deepEqual(await list(), ["Rome"]);
});

test("contexts have subscriptions of their own; older clients know of none", async () => {
  const plain = connect("both");
  const acme = connect("both", { context: { tenant: "acme", region: "eu" } });
  const made = ok(await acme.subscriptions.create({ topicKey: "t2" }));
  assert.equal(made.identifier, "tk_t2:si_both:ctx_region:eu,tenant:acme");
  assert.deepEqual(ok(await plain.subscriptions.list({ topicKey: "t2" })), []);
  assert.equal(ok(await plain.subscriptions.get({ topicKey: "t2", identifier: made.identifier })), null);
  assert.equal(ok(await acme.subscriptions.list({ topicKey: "t2" }, { refetch: true })).length, 1);
  assert.equal(ok(await acme.subscriptions.get({ topicKey: "t2", identifier: made.identifier }, { refetch: true })).id, made.id);

  const session = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: "both", context: { tenant: "acme", region: "eu" },
  }, { key: null });
  const as = async (version) => (await server.call("GET", "/v1/inbox/topics/t2/subscriptions", undefined, {
    key: null, headers: { Authorization: `Bearer ${session.body.data.token}`, ...(version && { "Novu-Client-Version": version }) },
  })).body.data.length;
  assert.equal(await as("@novu/js@3.13.0"), 1);
  assert.equal(await as("@novu/js@3.12.9"), 0);
  assert.equal(await as(undefined), 0);
});

test("an identifier of one context is taken for the others, and shows them nothing", async () => {
  const first = connect("split", { context: { tenant: "a" } });
  const second = connect("split", { context: { tenant: "b" } });
  ok(await first.subscriptions.create({ topicKey: "t5", identifier: "same", name: "First" }));
  const { error } = await second.subscriptions.create({ topicKey: "t5", identifier: "same", name: "Second" });
  assert.equal(error.originalError.status, 400);
  assert.match(error.originalError.message, /duplicate/);
  assert.equal(ok(await second.subscriptions.get({ topicKey: "t5", identifier: "same" })), null);
  await assert.rejects(novu.topics.subscriptions.create({ subscriptions: [{ subscriberId: "split", identifier: "same" }], context: { tenant: "b" } }, "t5"), (e) => {
    assert.equal(e.statusCode, 400);
    assert.equal(JSON.parse(e.body).errors[0].code, "SUBSCRIPTION_CREATE_FAILED");
    return true;
  });
});

test("a condition may be a plain true or false", async () => {
  const client = connect("plain-rule");
  const made = ok(await client.subscriptions.create({ topicKey: "rules", preferences: [{ workflowId: "wf-one", condition: true }, { workflowId: "wf-two", condition: false }] }));
  assert.deepEqual(made.preferences.map((p) => [p.workflow.identifier, p.enabled, p.condition]), [["wf-one", true, true], ["wf-two", true, false]]);
  for (const workflowId of ["wf-two", "wf-one"])
    await novu.trigger({ workflowId, to: { type: "Topic", topicKey: "rules" }, payload: {}, transactionId: `rules-${workflowId}` });
  const list = async () => ok(await client.notifications.list({ useCache: false })).notifications.map((n) => n.transactionId);
  await until(async () => (await list()).includes("rules-wf-one"), "the message that a plain true lets pass");
  assert.deepEqual(await list(), ["rules-wf-one"]);
  const seen = (await novu.topics.subscriptions.list({ topicKey: "rules" })).result.data;
  assert.equal(seen.length, 1, "the REST client can read it");
});

test("another person's subscription looks like a missing one", async () => {
  const owner = connect("owner");
  const thief = connect("thief");
  const made = ok(await owner.subscriptions.create({ topicKey: "t3", preferences: ["wf-one"] }));
  const which = { topicKey: "t3", identifier: made.identifier };
  assert.equal(ok(await thief.subscriptions.get(which)), null);
  const missing = `Subscription with identifier ${made.identifier} not found for topic t3`;
  for (const answer of [await thief.subscriptions.update({ ...which, name: "stolen" }), await thief.subscriptions.delete(which)]) {
    assert.equal(answer.error.originalError.status, 404);
    assert.ok(answer.error.originalError.message.endsWith(missing), answer.error.originalError.message);
  }
  const { error } = await thief.subscriptions.create({ topicKey: "t3", identifier: made.identifier });
  assert.equal(error.originalError.status, 400);
  assert.equal(ok(await owner.subscriptions.list({ topicKey: "t3" }, { refetch: true })).length, 1);
});

test("bad requests are told apart and change nothing", async () => {
  const client = connect("careless");
  const status = async (args) => (await client.subscriptions.create(args)).error.originalError.status;
  assert.equal(await status({ topicKey: "bad key!" }), 400);
  assert.equal(await status({ topicKey: "t4", preferences: "wf-one" }), 422);
  assert.equal(await status({ topicKey: "t4", identifier: "x".repeat(600) }), 422);
  assert.equal((await server.call("GET", "/v2/topics/t4")).status, 404);
  for (let i = 0; i < 10; i++) ok(await client.subscriptions.create({ topicKey: "t4", identifier: `n${i}` }));
  assert.equal(await status({ topicKey: "t4", identifier: "n10" }), 400);
});

// Upstream: apps/api/src/app/subscriptions/usecases/create-subscriptions and update-subscription.
test("a workflow that is not there is passed over; of several words about one the first counts; the API renames", async () => {
  const client = connect("passer");
  const shown = (s) => (s.preferences ?? []).map((p) => [p.workflow.identifier, p.enabled]);
  const made = ok(await client.subscriptions.create({
    topicKey: "over", topicName: "First", identifier: "mine",
    preferences: ["gone", { workflowId: "6501c0537209fd4b812ac5e3" }, { filter: { workflowIds: ["gone"], tags: ["none"] } },
      { workflowId: "wf-one", enabled: false }, "wf-one"],
  }));
  assert.deepEqual(shown(made), [["wf-one", false]]);
  assert.deepEqual(shown(ok(await client.subscriptions.update({ topicKey: "over", identifier: "mine", preferences: ["gone", "wf-two"] }))), [["wf-two", true]]);
  ok(await client.subscriptions.create({ topicKey: "over", topicName: "Second", identifier: "another" }));
  assert.equal((await server.call("GET", "/v2/topics/over")).body.data.name, "First", "a browser renames nothing");
  const api = await server.call("POST", "/v2/topics/over/subscriptions", { subscriberIds: ["passer"], name: "Third", preferences: ["gone"] });
  assert.equal(api.status, 201, api.text);
  assert.equal((await server.call("GET", "/v2/topics/over")).body.data.name, "Third");
  ok(await client.subscriptions.create({ topicKey: "over", identifier: "yet another" }));
  assert.equal((await server.call("GET", "/v2/topics/over")).body.data.name, "Third");
  const patched = await server.call("PATCH", "/v2/topics/over/subscriptions/mine", { preferences: ["gone"] });
  assert.deepEqual([patched.status, shown(patched.body.data)], [200, []]);
});
