// Two processes on one PostgreSQL change one person at the same moment: no choice, device token, name or subscription is lost.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startPair } from "./postgres.mjs";
import { until } from "./carillon.mjs";

const ROUNDS = 6;
const step = { in_app: { body: "b" }, email: { subject: "s", body: "b" }, sms: { body: "b" }, push: { subject: "s", body: "b" }, chat: { body: "b" } };
const types = Object.keys(step);
let pair, call;
before(async () => {
  pair = await startPair();
  call = (i, ...request) => [pair.one, pair.two][i % 2].call(...request);
  assert.equal((await call(0, "POST", "/v1/integrations", { providerId: "fcm", channel: "push", identifier: "fcm", credentials: {}, active: true, check: false })).status, 201);
  assert.equal((await call(0, "POST", "/v2/workflows", { name: "all", workflowId: "all", active: true,
    steps: types.map((type) => ({ type, name: type, controlValues: step[type] })) })).status, 201);
});
after(() => pair?.stop());

const atOnce = async (n, fn) => {
  const answers = await Promise.all(Array.from({ length: n }, (_, i) => fn(i)));
  for (const { status, text } of answers) assert.ok(status < 300, text);
  return answers;
};
const trigger = (i, to) => call(i, "POST", "/v1/events/trigger", { name: "all", to });

test("a person made by every door at once is one", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const subscriberId = `made-${round}`;
    const session = { applicationIdentifier: pair.one.dev.applicationIdentifier, subscriber: subscriberId };
    await atOnce(8, (i) => i < 3 ? call(i, "POST", "/v2/subscribers", { subscriberId }) : i < 6 ? call(i, "POST", "/v1/inbox/session", session, { key: null })
      : trigger(i, { subscriberId, firstName: "Ada" }));
    await until(async () => (await call(1, "GET", `/v2/subscribers?subscriberId=${subscriberId}`)).body.data[0].firstName === "Ada", "the triggers");
    assert.equal((await call(0, "GET", `/v2/subscribers?subscriberId=${subscriberId}`)).body.data.length, 1);
  }
});

test("preferences: every channel, workflow by workflow and for all, in several contexts", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const path = `/v2/subscribers/chooser-${round}/preferences`, contexts = ["a", "b"];
    await call(0, "POST", "/v2/subscribers", { subscriberId: `chooser-${round}` });
    for (const on of [false, true, false]) {
      const want = Object.fromEntries(types.map((type) => [type, on]));
      await atOnce(20, (i) => {
        const channels = { [types[i % 5]]: on };
        if (i < 5) return call(i, "PATCH", path, { workflowId: "all", channels });
        if (i < 10) return call(i, "PATCH", path, { channels });
        return call(i + (i >> 2), "PATCH", path, { workflowId: "all", channels, context: { tenant: contexts[i < 15 ? 0 : 1] } });
      });
      for (const query of ["", ...contexts.map((c) => `tenant:${c}`)]) {
        const { data } = (await call(round, "GET", `${path}?contextKeys=${query}`)).body;
        if (!query) assert.deepEqual(data.global.channels, want);
        assert.deepEqual(data.workflows[0].channels, want, query);
      }
    }
  }
});

test("device tokens: set by credentials and brought by triggers", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const subscriberId = `phone-${round}`, tokens = Array.from({ length: 12 }, (_, i) => `t${i}`);
    if (round % 2) await call(0, "POST", "/v2/subscribers", { subscriberId });
    const device = (i) => ({ providerId: "fcm", credentials: { deviceTokens: [tokens[i]] } });
    await atOnce(12, (i) => i % 3 === 2 || round % 2 === 0 ? trigger(i, { subscriberId, channels: [device(i)] }) : call(i >> 1, "PATCH", `/v1/subscribers/${subscriberId}/credentials`, device(i)));
    await until(async () => {
      const { channels } = (await call(round, "GET", `/v2/subscribers/${subscriberId}`)).body.data;
      assert.deepEqual(channels.flatMap((c) => c.credentials.deviceTokens).sort(), [...tokens].sort());
      return true;
    }, "the tokens");
  }
});

test("fields of a person, a topic and a subscription", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const subscriberId = `field-${round}`, key = `topic-${round}`;
    await call(0, "POST", "/v2/subscribers", { subscriberId });
    await atOnce(8, (i) => call(i, "POST", `/v2/topics/${key}/subscriptions`, { subscriptions: [{ subscriberId, identifier: "mine" }] }));
    assert.equal((await call(1, "GET", `/v2/topics/${key}/subscriptions`)).body.data.length, 1);
    const one = `/v2/topics/${key}/subscriptions/mine`, person = `/v2/subscribers/${subscriberId}`;
    const changes = [["PATCH", person, { firstName: "F" }], ["PATCH", person, { lastName: "L" }], ["PATCH", person, { data: { a: 1 } }], ["PATCH", one, { name: "N" }],
      ["PATCH", one, { preferences: [{ workflowId: "all", enabled: false }] }], ["PATCH", `/v2/topics/${key}`, { name: "T" }], ["PATCH", `/v2/topics/${key}`, { data: { b: 2 } }]];
    await atOnce(changes.length, (i) => call(i, ...changes[i]));
    const { data: stored } = (await call(0, "GET", person)).body, { data: topic } = (await call(1, "GET", `/v2/topics/${key}`)).body;
    const { data: subscription } = (await call(0, "GET", one)).body;
    assert.deepEqual([stored.firstName, stored.lastName, stored.data, topic.name, topic.data, subscription.name, subscription.preferences[0].enabled],
      ["F", "L", { a: 1 }, "T", { b: 2 }, "N", false]);
  }
});

test("a person goes while others subscribe them: nobody is left without a name", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const subscriberId = `gone-${round}`, key = `left-${round}`;
    await call(0, "POST", "/v2/subscribers", { subscriberId });
    const answers = await Promise.all([call(0, "DELETE", `/v2/subscribers/${subscriberId}`), ...Array.from({ length: 6 }, (_, i) => call(i, "POST", `/v2/topics/${key}/subscriptions`, { subscriptions: [subscriberId] }))]);
    for (const { status, text } of answers) assert.ok(status < 500, text);
    const left = (await call(1, "GET", `/v2/topics/${key}/subscriptions`)).body.data ?? [];
    const there = (await call(1, "GET", `/v2/subscribers/${subscriberId}`)).status === 200;
    assert.ok(there || left.length === 0, JSON.stringify(left));
  }
});
