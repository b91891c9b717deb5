// What holds steps back when they run, and what they see: preferences, the schedule in local time, conditions, variables.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
});
after(() => server?.stop());

const sms = { name: "Text", type: "sms", controlValues: { body: "text" } };
const bell = (body, more = {}) => ({ name: "Bell", type: "in_app", controlValues: { body, ...more } });
const workflow = (workflowId, steps, more = {}) => novu.workflows.create({ name: workflowId, workflowId, active: true, steps, ...more });
const runOf = (transactionId) =>
  until(async () => (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0], "the run");
const trigger = async (workflowId, to, more = {}) => (await novu.trigger({ workflowId, to, payload: {}, ...more })).result.transactionId;
const step = async (transactionId, type) => (await runOf(transactionId)).jobs.find((job) => job.type === type);
const details = (job) => job.executionDetails.map((d) => d.detail);
const now = (iso) => server.call("POST", "/v1/testing/clock", { now: iso });

test("preferences are read when the step runs, and the source is named", async () => {
  await workflow("texts", [sms]);
  const to = { subscriberId: "grace", phone: "+15550100" };
  assert.equal((await step(await trigger("texts", to), "sms")).status, "completed");
  await novu.subscribers.preferences.update({ channels: { sms: false } }, "grace");
  const off = await step(await trigger("texts", to), "sms");
  assert.equal(off.status, "canceled");
  assert.ok(details(off).includes("Step filtered by subscriber global preferences"));
  await novu.subscribers.preferences.update({ channels: { sms: true }, workflowId: "texts" }, "grace");
  assert.equal((await step(await trigger("texts", to), "sms")).status, "completed", "on for the workflow wins over off for all");
  await novu.subscribers.preferences.update({ channels: { sms: false }, workflowId: "texts" }, "grace");
  assert.ok(details(await step(await trigger("texts", to), "sms")).includes("Step filtered by subscriber workflow preferences"));
  await workflow("alarms", [sms], { preferences: { user: { all: { enabled: true, readOnly: true }, channels: {} } } });
  assert.equal((await step(await trigger("alarms", to), "sms")).status, "completed", "a critical workflow asks nobody");
});

test("outside of the subscriber's hours texts are skipped and delays wait for the next opening, in local time", async () => {
  const hours = { isEnabled: true, hours: [{ start: "09:00 AM", end: "05:00 PM" }] };
  const schedule = { isEnabled: true, weeklySchedule: Object.fromEntries(["monday", "tuesday", "wednesday", "thursday", "friday"].map((day) => [day, hours])) };
  // By hand: this version of the client drops extendToSchedule.
  const wait = { name: "Wait", type: "delay", controlValues: { type: "regular", amount: 1, unit: "hours", extendToSchedule: true } };
  await server.call("POST", "/v2/workflows", { name: "later", workflowId: "later", active: true, steps: [wait, sms, bell("done")] });
  await workflow("at-once", [sms, bell("done")]);
  const to = { subscriberId: "linus", phone: "+15550101", timezone: "America/New_York" };
  await novu.subscribers.create(to);
  await novu.subscribers.preferences.update({ schedule }, "linus");
  await now("2040-03-09T21:30:00.000Z"); // Friday, 16:30 in New York; on Sunday the clocks go forward
  const waiting = await trigger("later", to);
  await now("2040-03-09T22:30:00.000Z");
  const extended = await step(waiting, "delay");
  assert.equal(extended.status, "delayed");
  const why = extended.executionDetails.find((d) => d.detail === "Step was extended to the next available time in the subscriber schedule");
  const raw = JSON.parse(why.raw);
  assert.equal(raw.nextAvailableTime, "2040-03-12T13:00:00.000Z", "Monday at nine, by summer time");
  assert.equal(raw.timezone, "America/New_York");
  assert.equal(raw.scheduleExtensionsCount, 1);
  const skipped = await runOf(await trigger("at-once", to));
  assert.deepEqual(skipped.jobs.slice(-2).map((job) => job.status), ["canceled", "completed"]);
  assert.ok(details(skipped.jobs.find((job) => job.type === "sms")).includes("The step was skipped as it fell outside the subscriber's schedule"));
  await now("2040-03-12T12:59:59.999Z");
  assert.equal((await step(waiting, "delay")).status, "delayed");
  await now("2040-03-12T13:00:00.000Z");
  assert.deepEqual((await runOf(waiting)).jobs.slice(-3).map((job) => job.status), ["completed", "completed", "completed"]);
});

test("templates and conditions see the subscriber, contexts, the workflow and environment variables", async () => {
  assert.equal((await server.call("POST", "/v1/environment-variables", {
    key: "SHOP", type: "string", values: [{ _environmentId: server.dev._id, value: "Corner shop" }],
  })).status, 200);
  await workflow("seen", [
    bell("{{subscriber.firstName}} {{subscriber.isOnline}} {{context.region.id}} {{context.region.data.currency}} {{workflow.name}} {{env.SHOP}} {{env.type}}", {
      skip: { and: [{ "==": [{ var: "context.region.data.currency" }, "EUR"] }, { "==": [{ var: "env.SHOP" }, "Corner shop"] }] },
    }),
    { name: "No", type: "sms", controlValues: { body: "x", skip: { "==": [{ var: "payload.kind" }, "other"] } } },
  ], { tags: ["a"] });
  const id = await trigger("seen", { subscriberId: "ada", firstName: "Ada", phone: "+1" }, { context: { region: { id: "eu", data: { currency: "EUR" } } } });
  const run = await runOf(id);
  assert.deepEqual(run.jobs.slice(-2).map((job) => job.status), ["completed", "canceled"]);
  const { body } = await server.call("GET", `/v1/messages?transactionId=${id}`);
  assert.equal(body.data[0].content, "Ada false eu EUR seen Corner shop dev");
  const matched = JSON.parse(run.jobs.find((job) => job.type === "in_app").executionDetails.find((d) => d.detail === "Step conditions matched").raw);
  assert.deepEqual(matched.evaluatedValues, { "context.region.data.currency": "EUR", "env.SHOP": "***" });
  assert.ok(details(run.jobs.find((job) => job.type === "sms")).includes("Bridge execution skipped"));
});
