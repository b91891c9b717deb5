// The virtual clock: it stands still until a test moves it, and then everything due has happened.
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
const move = (body) => server.call("POST", "/v1/testing/clock", body);

test("with the real clock the route does not exist", async () => {
  const real = await Carillon.start();
  assert.equal((await real.call("POST", "/v1/testing/clock", { advance: "PT1S" })).status, 404);
  await real.stop();
});

test("stored dates follow the clock, which moves forward only", async () => {
  const made = async (subscriberId) => Date.parse((await novu.subscribers.create({ subscriberId })).result.createdAt);
  const first = await made("c1");
  assert.equal(await made("c2"), first, "it stands still");
  assert.equal((await move({ advance: "P2DT3H" })).status, 200);
  assert.equal(await made("c3"), first + (2 * 24 + 3) * 3600_000);
  const now = new Date(first + 10 * 86400_000).toISOString();
  assert.equal((await move({ now })).status, 200);
  assert.equal(await made("c4"), first + 10 * 86400_000);
  assert.equal((await move({ now: new Date(first).toISOString() })).status, 400);
  for (const body of [{}, { advance: "soon" }, { advance: "-PT1H" }, { advance: 5 }, { now: "yesterday" }]) {
    assert.ok([400, 422].includes((await move(body)).status), JSON.stringify(body));
  }
});

test("a delay step waits for the clock, not for the wall", async () => {
  await novu.workflows.create({
    name: "Later", workflowId: "later", active: true,
    steps: [
      { name: "Wait", type: "delay", controlValues: { type: "regular", amount: 3, unit: "days" } },
      { name: "Bell", type: "in_app", controlValues: { body: "after three days" } },
    ],
  });
  await novu.trigger({ workflowId: "later", to: "c1", transactionId: "t-later" });
  const count = async () => (await novu.messages.retrieve({ transactionId: ["t-later"] })).result.data.length;
  assert.equal((await move({ advance: "P2DT23H59M59S" })).status, 200);
  assert.equal(await count(), 0);
  assert.equal((await move({ advance: "PT1S" })).status, 200);
  assert.equal(await count(), 1);
});

test("a killed server goes on at the time where the clock stood", async () => {
  const first = await Carillon.start({ args: ["--clock", "virtual"] });
  await first.call("POST", "/v2/workflows", {
    name: "Later", workflowId: "later", active: true,
    steps: [{ name: "Wait", type: "delay", controlValues: { type: "regular", amount: 3, unit: "hours" } }, { name: "Bell", type: "in_app", controlValues: { body: "x" } }],
  });
  await first.call("POST", "/v1/events/trigger", { name: "later", to: "c1", transactionId: "t-kill" });
  const { body } = await first.call("POST", "/v1/testing/clock", { advance: "PT2H59M59S" });
  await first.kill();
  const second = await Carillon.start({ args: ["--clock", "virtual"], dir: first.dir });
  const shown = async () => (await second.call("GET", "/v1/messages?transactionId=t-kill")).body.data.length;
  assert.deepEqual((await second.call("GET", "/v1/testing/clock")).body, body);
  assert.equal(await shown(), 0);
  await second.call("POST", "/v1/testing/clock", { advance: "PT1S" });
  assert.equal(await shown(), 1);
  await second.stop();
  first.removeDirectory();
});
