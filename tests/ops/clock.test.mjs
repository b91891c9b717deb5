// POST /v1/testing/clock: who may, what it takes, and that it is not there with the real clock.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { serve } from "./run.mjs";

let server;
before(async () => {
  server = await serve({ args: ["--clock", "virtual"] });
});
after(() => server?.stop());
const move = (body, options) => server.call("POST", "/v1/testing/clock", body, options);
const now = async () => (await server.call("GET", "/v1/testing/clock")).body.data.now;

test("time begins at the wall's and stands still", async () => {
  const first = await now();
  assert.ok(Math.abs(Date.parse(first) - Date.now()) < 60_000);
  assert.equal(await now(), first);
});

test("durations and dates move it, and the answer says when it is", async () => {
  const start = Date.parse(await now());
  for (const [advance, ms] of [["PT1H", 3600e3], ["PT5M1S", 301e3], ["P2D", 2 * 86400e3], ["P1DT1H", 25 * 3600e3], ["PT0S", 0]]) {
    const before = Date.parse(await now());
    const { status, body, text } = await move({ advance });
    assert.equal(status, 200, text);
    assert.equal(Date.parse(body.data.now), before + ms, advance);
  }
  const target = new Date(start + 30 * 86400e3).toISOString();
  assert.equal((await move({ now: target })).body.data.now, target);
});

test("every environment's key may, nobody else", async () => {
  assert.equal((await move({ advance: "PT1S" }, { key: server.prod.secretKey })).status, 200);
  assert.equal((await move({ advance: "PT1S" }, { key: null })).status, 401);
  assert.equal((await move({ advance: "PT1S" }, { key: "wrong" })).status, 401);
});

test("backwards, beyond all time, and nonsense are 400 and move nothing", async () => {
  const before = await now();
  const past = new Date(Date.parse(before) - 1000).toISOString();
  for (const body of [
    {}, { now: past }, { advance: "-PT1H" }, { advance: "1h" }, { advance: "" }, { advance: "P" }, { advance: 5 }, { now: 5 },
    { now: "yesterday" }, { advance: "PT1H", now: "2999-01-01T00:00:00Z" }, { advance: "P99999999999999999999D" }, { advance: null },
  ]) {
    const { status, text } = await move(body);
    assert.equal(status, 400, `${JSON.stringify(body)}: ${text}`);
  }
  for (const body of ["[]", "{", '"PT1H"']) assert.equal((await move(body)).status, 400, body);
  assert.equal(await now(), before);
});

test("tokens and signatures keep real time", async () => {
  await move({ advance: "P300D" });
  const { status } = await server.call("POST", "/v1/inbox/session", {
    applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId: "ada" },
  }, { key: null }).then(async ({ body }) => server.call("GET", "/v1/inbox/notifications", undefined, { key: null, headers: { Authorization: `Bearer ${body.data.token}` } }));
  assert.equal(status, 200);
});

test("with the real clock the route is as if it were not there", async () => {
  const real = await serve();
  for (const method of ["GET", "POST"]) {
    const { status, body } = await real.call(method, "/v1/testing/clock", method === "POST" ? { advance: "PT1S" } : undefined);
    const nothing = await real.call(method, "/v1/testing/clocks", method === "POST" ? {} : undefined);
    assert.equal(status, 404);
    assert.equal(body.message, nothing.body.message.replace("clocks", "clock"));
  }
  await real.stop();
});
