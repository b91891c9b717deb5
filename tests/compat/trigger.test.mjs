// The vertical slice through @novu/api 3.19.1: workflow, trigger, run, messages, outbox.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { ada, api, order, orderShipped } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

/** The run of a transaction, as the activity feed shows it, once it says that all its jobs are finished. */
function finishedRun(transactionId) {
  return until(async () => {
    const { result } = await novu.notifications.list({ transactionId });
    const run = result.data[0];
    const ends = ["completed", "failed", "canceled", "merged", "skipped"];
    return run?.jobs?.length && run.jobs.every((job) => ends.includes(job.status)) && run;
  }, `the end of run ${transactionId}`);
}

test("a workflow with an in-app and an e-mail step can be created and read back", async () => {
  const { result: made } = await novu.workflows.create(orderShipped);
  assert.equal(made.workflowId, "order-shipped");
  assert.equal(made.name, "Order shipped");
  assert.equal(made.active, true);
  assert.equal(made.status, "ACTIVE");
  assert.deepEqual(made.tags, ["orders"]);
  assert.deepEqual(made.steps.map((s) => s.type), ["in_app", "email"]);
  assert.match(made.id, /^[0-9a-f]{24}$/);

  for (const name of ["order-shipped", made.id, made.slug]) {
    const { result: read } = await novu.workflows.get(name);
    assert.equal(read.id, made.id);
    assert.equal(read.steps[0].controls.values.subject, orderShipped.steps[0].controlValues.subject);
    assert.equal(read.steps[1].controls.values.body, orderShipped.steps[1].controlValues.body);
  }
  const { result: list } = await novu.workflows.list({ limit: 10, offset: 0 });
  assert.ok(list.workflows.some((w) => w.workflowId === "order-shipped"));
});

test("an identifier that is taken gets a suffix instead of an error", async () => {
  const { result } = await novu.workflows.create({ ...orderShipped, name: "Second" });
  assert.notEqual(result.workflowId, "order-shipped");
  assert.match(result.workflowId, /^order-shipped-/);
  await novu.workflows.delete(result.workflowId);
  await assert.rejects(novu.workflows.get(result.workflowId), (e) => e.statusCode === 404);
});

test("a trigger upserts its subscriber, and its run, jobs and execution details can be read", async () => {
  const { result } = await novu.trigger({ workflowId: "order-shipped", to: ada, payload: order, transactionId: "t-slice" });
  assert.deepEqual({ ...result, activityFeedLink: undefined }, {
    acknowledged: true, status: "processed", transactionId: "t-slice", activityFeedLink: undefined,
  });

  const run = await finishedRun("t-slice");
  assert.equal(run.transactionId, "t-slice");
  assert.equal(run.template.name, "Order shipped");
  assert.equal(run.subscriber.subscriberId, "ada");
  assert.deepEqual(run.payload, order);
  assert.deepEqual([...run.channels].sort(), ["email", "in_app"]);

  const { result: full } = await novu.notifications.retrieve(run.id);
  const jobs = full.jobs.filter((job) => job.type !== "trigger");
  assert.deepEqual(jobs.map((j) => [j.type, j.status]), [["in_app", "completed"], ["email", "completed"]]);
  for (const job of jobs) {
    const details = job.executionDetails.map((d) => d.detail);
    assert.ok(details.includes("Message created"), `${job.type}: ${details}`);
    assert.ok(details.includes("Message sent"), `${job.type}: ${details}`);
    assert.ok(job.executionDetails.every((d) => d.source && d.status && d.isTest === false && d.isRetry === false));
  }

  const { result: person } = await novu.subscribers.retrieve("ada");
  assert.equal(person.firstName, "Ada");
  assert.equal(person.email, "ada@example.com");
});

test("the in-app message is rendered by Liquid and listed with its action", async () => {
  const { result } = await novu.messages.retrieve({ transactionId: ["t-slice"], channel: "in_app" });
  assert.equal(result.data.length, 1);
  const [message] = result.data;
  assert.equal(message.subject, "Order A-17 shipped");
  assert.equal(message.content, "Hi ADA, it arrives tomorrow.");
  assert.equal(message.channel, "in_app");
  assert.equal(message.read, false);
  assert.equal(message.seen, false);
  assert.equal(message.cta.action.buttons[0].content, "Track");
  assert.equal(message.templateIdentifier, "order-shipped");
});

test("the e-mail is in the outbox, rendered, and deletable", async () => {
  const [mail] = await server.outbox("t-slice");
  assert.equal(mail.channel, "email");
  const { status, body } = await server.call("GET", `/v1/outbox/${mail._id ?? mail.id}`);
  assert.equal(status, 200);
  const full = body.data;
  assert.match(JSON.stringify(full.to), /ada@example\.com/);
  assert.equal(full.subject, "Your order A-17, Ada");
  assert.match(full.html, /<p>Dear Ada Lovelace,<\/p>/);
  assert.match(full.html, /<li>bell<\/li>\s*<li>rope<\/li>/);
  assert.match(full.text, /Dear Ada Lovelace/);

  for (const query of ["channel=email", "to=ada@example.com", "q=A-17", "transactionId=t-slice"]) {
    const found = await server.call("GET", `/v1/outbox?${query}`);
    assert.equal(found.body.data.length, 1, query);
  }
  const none = await server.call("GET", "/v1/outbox?to=nobody@example.com");
  assert.equal(none.body.data.length, 0);

  const gone = await server.call("DELETE", `/v1/outbox/${mail._id ?? mail.id}`);
  assert.ok([200, 204].includes(gone.status), String(gone.status));
  assert.equal((await server.call("GET", `/v1/outbox/${mail._id ?? mail.id}`)).status, 404);
});

test("Production has no outbox: without an integration the e-mail job fails and says why", async () => {
  const prod = api(server, server.prod);
  await prod.workflows.create(orderShipped);
  await prod.trigger({ workflowId: "order-shipped", to: ada, payload: order, transactionId: "t-prod" });
  const run = await until(async () => {
    const { result } = await prod.notifications.list({ transactionId: "t-prod" });
    const mail = result.data[0]?.jobs?.find((j) => j.type === "email");
    return ["failed", "completed", "skipped", "canceled"].includes(mail?.status) && result.data[0];
  }, "the Production run");
  const mail = run.jobs.find((j) => j.type === "email");
  assert.equal(mail.status, "failed");
  assert.ok(mail.executionDetails.some((d) => d.detail === "Subscriber does not have an active integration"));
  const { body } = await server.call("GET", "/v1/outbox", undefined, { key: server.prod.secretKey });
  assert.deepEqual(body.data ?? [], []);
});

test("environments do not see each other", async () => {
  const prod = api(server, server.prod);
  const { result } = await prod.messages.retrieve({ transactionId: ["t-slice"] });
  assert.equal(result.data.length, 0);
});

test("a trigger without transactionId gets one; repeated with one, it runs once", async () => {
  const { result } = await novu.trigger({ workflowId: "order-shipped", to: "ada", payload: order });
  assert.match(result.transactionId, /^txn_[0-9a-f]{24}$/);
  for (let i = 0; i < 3; i++) {
    const again = await novu.trigger({ workflowId: "order-shipped", to: "ada", payload: order, transactionId: "t-once" });
    assert.equal(again.result.transactionId, "t-once");
  }
  await finishedRun("t-once");
  const { result: messages } = await novu.messages.retrieve({ transactionId: ["t-once"], channel: "in_app" });
  assert.equal(messages.totalCount ?? messages.data.length, 1);
});

test("several recipients get a run each", async () => {
  await novu.trigger({
    workflowId: "order-shipped", to: ["r1", { subscriberId: "r2", firstName: "Rue" }, "r1"], payload: order, transactionId: "t-many",
  });
  await until(async () => {
    const { result } = await novu.messages.retrieve({ transactionId: ["t-many"], channel: "in_app" });
    return result.data.length === 2;
  }, "two in-app messages");
  const { result } = await novu.notifications.list({ transactionId: "t-many" });
  assert.deepEqual(result.data.map((r) => r.subscriber.subscriberId).sort(), ["r1", "r2"]);
});

test("a bulk trigger answers in order and keeps a bad event's error to itself", async () => {
  const { result } = await novu.triggerBulk({
    events: [
      { workflowId: "order-shipped", to: "ada", payload: order, transactionId: "t-b1" },
      { workflowId: "no-such-workflow", to: "ada", payload: {} },
      { workflowId: "order-shipped", to: "ada", payload: order, transactionId: "t-b2" },
    ],
  });
  assert.deepEqual(result.map((r) => r.status), ["processed", "error", "processed"]);
  assert.deepEqual([result[0].transactionId, result[2].transactionId], ["t-b1", "t-b2"]);
  assert.ok(result[1].error?.length);
});

test("a workflow that is switched off accepts the trigger and does nothing", async () => {
  await novu.workflows.patch({ active: false }, "order-shipped");
  const { result } = await novu.trigger({ workflowId: "order-shipped", to: "ada", payload: order, transactionId: "t-off" });
  assert.equal(result.status, "trigger_not_active");
  await novu.workflows.patch({ active: true }, "order-shipped");
  const { result: messages } = await novu.messages.retrieve({ transactionId: ["t-off"] });
  assert.equal(messages.data.length, 0);
});

test("an update replaces the workflow's steps; later runs use them", async () => {
  const { result: now } = await novu.workflows.get("order-shipped");
  await novu.workflows.update(
    {
      name: "Order shipped", origin: now.origin, active: true, preferences: { user: null },
      steps: [{ id: now.steps[0].id, name: "Bell", type: "in_app", controlValues: { body: "Only {{payload.number}}" } }],
    },
    "order-shipped",
  );
  await novu.trigger({ workflowId: "order-shipped", to: "ada", payload: order, transactionId: "t-new" });
  const run = await finishedRun("t-new");
  assert.deepEqual(run.jobs.filter((j) => j.type !== "trigger").map((j) => j.type), ["in_app"]);
  const { result } = await novu.messages.retrieve({ transactionId: ["t-new"] });
  assert.equal(result.data[0].content, "Only A-17");
});

test("a message can be deleted", async () => {
  const { result: before } = await novu.messages.retrieve({ transactionId: ["t-many"], channel: "in_app" });
  const { result } = await novu.messages.delete(before.data[0].id);
  assert.equal(result.acknowledged, true);
  const { result: after } = await novu.messages.retrieve({ transactionId: ["t-many"], channel: "in_app" });
  assert.equal(after.data.length, before.data.length - 1);
  await assert.rejects(novu.messages.delete(before.data[0].id), (e) => e.statusCode === 404);
  await novu.messages.deleteByTransactionId("t-many");
  const { result: none } = await novu.messages.retrieve({ transactionId: ["t-many"] });
  assert.equal(none.data.length, 0);
  await assert.rejects(novu.messages.deleteByTransactionId("t-many"), (e) => e.statusCode === 404);
});
