// Digests, throttles, delays by cron, and cancelling, through @novu/api 3.19.1 and a virtual clock.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
});
after(() => server?.stop());

async function workflow(workflowId, steps) {
  const { status, body } = await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps });
  assert.equal(status, 201, JSON.stringify(body));
}
const mail = { name: "Mail", type: "email", controlValues: { subject: "{{steps.collect.eventCount}} news", body: "{% for e in steps.collect.events %}{{e.payload.n}} {% endfor %}" } };
const inApp = { name: "Bell", type: "in_app", controlValues: { body: "ring" } };
const advance = (duration) => server.call("POST", "/v1/testing/clock", { advance: duration });
let count = 0;
async function trigger(name, payload = {}, to = "ada") {
  const transactionId = `${name}-${++count}`;
  await novu.trigger({ workflowId: name, to: { subscriberId: to, email: `${to}@example.com` }, payload, transactionId });
  await advance("PT0S");
  return transactionId;
}
async function run(transactionId) {
  const { result } = await novu.notifications.list({ transactionId });
  assert.equal(result.data.length, 1);
  const { result: full } = await novu.notifications.retrieve(result.data[0].id);
  return full;
}
const statuses = (r) => r.jobs.map((job) => job.status).join(" ");
const outbox = async (q) => (await server.call("GET", `/v1/outbox?${new URLSearchParams(q)}`)).body.data;

test("five events become one mail", async () => {
  await workflow("news", [{ name: "Collect", stepId: "collect", type: "digest", controlValues: { amount: 5, unit: "minutes", digestKey: "payload.post" } }, mail]);
  const sent = [];
  for (let n = 1; n <= 5; n++) {
    sent.push(await trigger("news", { n, post: "a" }));
    await advance("PT10S");
  }
  const other = await trigger("news", { n: 9, post: "b" });
  const primary = await run(sent[0]);
  assert.equal(statuses(primary), "completed delayed pending");
  assert.equal(primary.jobs[1].digest.type, "regular");
  assert.equal(primary.jobs[1].digest.amount, 5);
  assert.equal(primary.jobs[1].digest.unit, "minutes");
  assert.equal(primary.jobs[1].digest.digestKey, "payload.post");
  for (const tx of sent.slice(1)) {
    const merged = await run(tx);
    assert.equal(statuses(merged), "completed merged merged");
    assert.ok(merged.jobs[1].executionDetails.some((d) => d.detail === "Digest was merged with other digest" && d.status === "Success"));
    assert.equal(merged.digestedNotificationId, primary.id);
  }
  assert.equal((await outbox({ transactionId: sent[0] })).length, 0);
  await advance("PT4M10S");
  const done = await run(sent[0]);
  assert.equal(statuses(done), "completed completed completed");
  const fired = done.jobs[1].executionDetails.find((d) => d.detail === "Digest triggered events");
  assert.deepEqual(JSON.parse(fired.raw), [1, 2, 3, 4, 5].map((n) => ({ n, post: "a" })));
  assert.deepEqual(done.jobs[1].digest.events.map((e) => e.n), [1, 2, 3, 4, 5]);
  const [letter] = await outbox({ transactionId: sent[0] });
  assert.equal(letter.subject, "5 news");
  await advance("PT5M");
  assert.equal((await outbox({ transactionId: other }))[0].subject, "1 news");
});

test("look-back sends the first at once and collects the rest", async () => {
  await workflow("burst", [{ name: "Collect", stepId: "collect", type: "digest", controlValues: { amount: 5, unit: "minutes", lookBackWindow: { amount: 10, unit: "minutes" } } }, mail]);
  const first = await run(await trigger("burst", { n: 1 }));
  assert.equal(statuses(first), "completed skipped completed");
  assert.ok(first.jobs[1].executionDetails.some((d) => d.detail === "Digest was skipped, first backoff event"));
  const second = await trigger("burst", { n: 2 });
  await trigger("burst", { n: 3 });
  await advance("PT5M");
  assert.equal((await outbox({ transactionId: second }))[0].subject, "2 news");
});

test("a throttle lets one through an hour", async () => {
  await workflow("calm", [{ name: "Throttle", type: "throttle", controlValues: { type: "fixed", amount: 1, unit: "hours", threshold: 1 } }, inApp]);
  assert.equal(statuses(await run(await trigger("calm"))), "completed completed completed");
  const denied = await run(await trigger("calm"));
  assert.equal(statuses(denied), "completed skipped skipped");
  const detail = denied.jobs[1].executionDetails.find((d) => d.detail === "Throttle limit exceeded for the given window");
  assert.equal(JSON.parse(detail.raw).threshold, 1);
  await advance("PT1H");
  assert.equal(statuses(await run(await trigger("calm"))), "completed completed completed");
});

test("a delay by cron goes by the subscriber's wall clock", async () => {
  await workflow("morning", [{ name: "Wait", type: "delay", controlValues: { type: "timed", cron: "0 9 * * *" } }, inApp]);
  await novu.subscribers.create({ subscriberId: "kiri", timezone: "Pacific/Auckland" });
  const tx = await trigger("morning", {}, "kiri");
  const raw = JSON.parse((await run(tx)).jobs[1].executionDetails.find((d) => d.detail === "Step delayed").raw);
  assert.match(raw.untilDate, /^\d{4}-\d\d-\d\d 09:00:00 GMT\+1[23]$/);
  await advance("P1D");
  assert.equal(statuses(await run(tx)), "completed completed completed");
});

test("cancelling stops a delay once, and a digest goes on as its follower", async () => {
  await workflow("late", [{ name: "Wait", type: "delay", controlValues: { amount: 1, unit: "days" } }, inApp]);
  const tx = await trigger("late");
  assert.equal((await novu.cancel(tx)).result, true);
  assert.equal(statuses(await run(tx)), "completed canceled canceled");
  assert.equal((await novu.cancel(tx)).result, false);
  assert.equal((await novu.cancel("never-heard-of")).result, false);
  const { body } = await server.call("DELETE", `/v1/events/trigger/${tx}`);
  assert.deepEqual(body, { data: false });
  const [a, b, c] = [await trigger("news", { n: 1 }), await trigger("news", { n: 2 }), await trigger("news", { n: 3 })];
  assert.equal((await novu.cancel(a)).result, true);
  assert.equal(statuses(await run(b)), "completed delayed pending");
  assert.equal((await run(c)).digestedNotificationId, (await run(b)).id);
  await advance("PT5M");
  assert.equal((await outbox({ transactionId: b }))[0].subject, "2 news");
  assert.equal((await outbox({ transactionId: a })).length, 0);
});
