// Rate limits and what is counted (rest-api.md §4.3).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";

let open, strict;
before(async () => {
  open = await Carillon.start();
  strict = await Carillon.start({
    args: ["--rate-limit", "on", "--service-level", "free"],
    env: { API_RATE_LIMIT_MAXIMUM_FREE_CONFIGURATION: "1", API_RATE_LIMIT_ALGORITHM_WINDOW_DURATION: "60", API_RATE_LIMIT_COST_BULK: "40" },
  });
});
after(() => Promise.all([open?.stop(), strict?.stop()]));

const limits = (r) => Object.fromEntries(["remaining", "limit", "reset", "policy"].map((n) => [n, r.headers.get(`ratelimit-${n}`)]));

test("every answer to a secret key carries the headers, and nobody is refused by default", async () => {
  const read = await open.call("GET", "/v2/subscribers/nobody");
  assert.equal(read.status, 404);
  assert.deepEqual(limits(read), {
    remaining: "10999", limit: "10000", reset: "1",
    policy: '10000;w=5;burst=11000;comment="token bucket";category="configuration";cost="single";serviceLevel="unlimited"',
  });
  const bulk = await open.call("POST", "/v1/subscribers/bulk", { subscribers: [{ subscriberId: "a" }] });
  assert.equal(limits(bulk).remaining, "10899");
  assert.match(limits(bulk).policy, /;cost="bulk";/);
  const global = await open.call("GET", "/v1/notifications");
  assert.equal(limits(global).remaining, "16499");
  assert.match(limits(global).policy, /^15000;w=5;burst=16500;.*category="global"/);
  const trigger = await open.call("POST", "/v1/events/trigger", { name: "none", to: "a" });
  assert.match(limits(trigger).policy, /^30000;w=5;burst=33000;.*category="trigger"/);
  // Each environment has buckets of its own; who is not let in has none.
  assert.equal(limits(await open.call("GET", "/v2/subscribers/nobody", undefined, { key: open.prod.secretKey })).remaining, "10999");
  assert.equal(limits(await open.call("GET", "/v2/subscribers/nobody", undefined, { key: "x" })).limit, null);
  assert.equal(limits(await open.call("GET", "/v1/health-check")).limit, null);
});

test("with the switch on, a key that asks too often gets 429 and is told when to come back", async () => {
  const path = "/v2/subscribers?limit=1";
  for (let left = 65; left >= 0; left--) {
    const r = await strict.call("GET", path);
    assert.equal(r.status, 200);
    // A token a second comes back, but only who has none is given any.
    assert.equal(Number(limits(r).remaining), left);
  }
  let refused = await strict.call("GET", path);
  if (refused.status === 200) refused = await strict.call("GET", path); // a second had passed
  assert.equal(refused.status, 429);
  assert.equal(refused.body.message, "API rate limit exceeded");
  assert.deepEqual(refused.body.ctx, {});
  assert.equal(refused.body.error, undefined);
  assert.equal(refused.headers.get("retry-after"), refused.headers.get("ratelimit-reset"));
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(limits(refused).remaining, "0");
  const bulk = await strict.call("POST", "/v1/subscribers/bulk", { subscribers: [{ subscriberId: "a" }] });
  assert.equal(bulk.status, 429);
  assert.ok(Number(bulk.headers.get("retry-after")) >= 30);
  assert.equal((await strict.call("GET", "/v1/notifications")).status, 200);
  assert.equal((await strict.call("GET", path, undefined, { key: strict.prod.secretKey })).status, 200);
});

test("an environment may have limits of its own", async () => {
  const me = (await open.call("GET", "/v1/environments/me")).body.data;
  const set = (apiRateLimits) => open.call("PUT", `/v1/environments/${me._id}`, { settings: { apiRateLimits } });
  assert.equal((await set({ configuration: 0 })).status, 422);
  assert.equal((await set({ trigger: "many" })).status, 422);
  assert.equal((await set({ configuration: 2 })).status, 200);
  const r = await open.call("GET", "/v2/subscribers/nobody");
  assert.equal(limits(r).policy, '10;w=5;burst=11;comment="token bucket";category="configuration";cost="single";serviceLevel="custom"');
  assert.match(limits(await open.call("GET", "/v1/notifications")).policy, /serviceLevel="unlimited"/);
  assert.equal((await set(null)).status, 200);
  assert.match(limits(await open.call("GET", "/v2/subscribers/nobody")).policy, /serviceLevel="unlimited"/);
});
