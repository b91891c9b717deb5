// Idempotency-Key on the wire (rest-api.md §5): on both databases, over restarts and SIGKILL.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon } from "./carillon.mjs";
import { startPostgres } from "./postgres.mjs";

const link = "https://docs.novu.co/additional-resources/idempotency";
let serial = 0;
const fresh = (what = "k") => `${what}-${process.pid}-${++serial}`;
const workflow = (workflowId, extra = {}) => ({
  name: workflowId, workflowId, active: true, __source: "dashboard",
  steps: [{ name: "In-app", type: "in_app", controlValues: { body: "Hello" } }], ...extra,
});

for (const store of ["sqlite", "postgres"]) {
  describe(`idempotency on ${store}`, () => {
    let postgres, server, options;
    const call = (method, path, body, key, more = {}) =>
      server.call(method, path, body, { ...more, headers: { ...(key === undefined ? {} : { "Idempotency-Key": key }), ...more.headers } });
    const workflowsNamed = async (name) =>
      (await server.call("GET", `/v2/workflows?limit=100&query=${name}`)).body.data.workflows.length;
    const assertReplay = (first, again) => {
      assert.equal(first.headers.get("idempotency-replay"), null);
      assert.equal(again.headers.get("idempotency-replay"), "true");
      assert.equal(again.headers.get("idempotency-key"), first.headers.get("idempotency-key"));
      assert.equal(again.status, first.status);
      assert.equal(again.text, first.text);
    };
    const assertOtherBody = (reply, key) => {
      assert.equal(reply.status, 422, reply.text);
      assert.equal(reply.body.message, `Request with key "${key}" is being reused for a different body`);
      assert.deepEqual(reply.body.errors, {});
      assert.equal(reply.headers.get("link"), link);
      assert.equal(reply.headers.get("idempotency-key"), key);
    };

    before(async () => {
      if (store === "postgres") postgres = await startPostgres();
      options = { args: ["--clock", "virtual"], env: postgres ? { CARILLON_DATABASE_URL: postgres.url } : {} };
      server = await Carillon.start(options);
    });
    after(async () => {
      await server?.stop();
      await postgres?.stop();
    });

    test("the first answer is replayed, whatever happened since", async () => {
      const key = fresh();
      const first = await call("POST", "/v2/workflows", workflow("replayed"), key);
      assert.equal(first.status, 201, first.text);
      assert.equal(first.headers.get("idempotency-key"), key);
      const again = await call("POST", "/v2/workflows", workflow("replayed"), key);
      assertReplay(first, again);
      assert.equal(await workflowsNamed("replayed"), 1);
      await server.call("DELETE", `/v2/workflows/${first.body.data._id}`);
      assertReplay(first, await call("POST", "/v2/workflows", workflow("replayed"), key));
      assert.equal(await workflowsNamed("replayed"), 0);
    });

    test("a key stands for one method, path, environment and body", async () => {
      const key = fresh();
      const body = { subscriberId: "ada", firstName: "Ada" };
      assert.equal((await call("POST", "/v2/subscribers", body, key)).status, 201);
      assertOtherBody(await call("POST", "/v2/subscribers", { ...body, firstName: "Eve" }, key), key);
      assertOtherBody(await call("PATCH", "/v2/subscribers/ada", body, key), key);
      assertOtherBody(await call("POST", "/v2/subscribers?failIfExists=true", body, key), key);
      assertOtherBody(await call("POST", "/v2/subscribers", body, key, { key: server.prod.secretKey }), key);
      assertOtherBody(await call("POST", "/v1/events/trigger", { name: "x", to: "ada" }, key), key);
      assert.equal((await server.call("GET", "/v2/subscribers/ada")).body.data.firstName, "Ada");
    });

    test("only POST and PATCH look at it, and it has a length", async () => {
      const key = fresh();
      const read = await call("GET", "/v2/subscribers/ada", undefined, key);
      assert.equal(read.status, 200);
      assert.equal(read.headers.get("idempotency-key"), null);
      assert.equal((await call("PATCH", "/v2/subscribers/ada", { lastName: "L" }, key)).status, 200);
      assert.equal((await call("PATCH", "/v2/subscribers/ada", { lastName: "L" }, key)).headers.get("idempotency-replay"), "true");
      const long = "x".repeat(256);
      const refused = await call("POST", "/v2/subscribers", { subscriberId: "long" }, long);
      assert.equal(refused.status, 400);
      assert.equal(refused.body.message, `idempotencyKey "${long}" has exceeded the maximum allowed length of 255 characters`);
      assert.equal((await call("POST", "/v2/subscribers", { subscriberId: "long" }, long.slice(1))).status, 201);
      const event = await call("POST", "/v1/events/trigger", { name: "x", to: "y" }, long);
      assert.equal(event.status, 400);
      assert.equal(event.body.type, "BAD_REQUEST");
      assert.deepEqual(event.body.errors, []);
    });

    test("mistakes are replayed too, but not what may pass", async () => {
      const invalid = fresh(), missing = fresh(), conflict = fresh(), unauthorized = fresh();
      const bad = await call("POST", "/v2/subscribers", { subscriberId: 5 }, invalid);
      assert.equal(bad.status, 422);
      assertReplay(bad, await call("POST", "/v2/subscribers", { subscriberId: 5 }, invalid));

      const absent = await call("PATCH", "/v2/subscribers/later", { firstName: "L" }, missing);
      assert.equal(absent.status, 404);
      await server.call("POST", "/v2/subscribers", { subscriberId: "later" });
      assertReplay(absent, await call("PATCH", "/v2/subscribers/later", { firstName: "L" }, missing));
      assert.equal((await call("PATCH", "/v2/subscribers/later", { firstName: "L" }, fresh())).status, 200);

      const taken = await call("POST", "/v2/subscribers?failIfExists=true", { subscriberId: "later" }, conflict);
      assert.equal(taken.status, 409);
      assert.equal(taken.headers.get("idempotency-key"), conflict);
      await server.call("DELETE", "/v2/subscribers/later");
      assert.equal((await call("POST", "/v2/subscribers?failIfExists=true", { subscriberId: "later" }, conflict)).status, 201);

      assert.equal((await call("POST", "/v2/subscribers", { subscriberId: "x" }, unauthorized, { key: "0".repeat(32) })).status, 401);
      assert.equal((await call("POST", "/v2/subscribers", { subscriberId: "x" }, unauthorized)).status, 201);
    });

    test("of many calls at once with one key, one does the work", async () => {
      for (let round = 0; round < 5; round++) {
        const key = fresh(), name = `race-${round}`;
        const replies = await Promise.all(Array.from({ length: 40 }, () => call("POST", "/v2/workflows", workflow(name), key)));
        const done = replies.filter((r) => r.status === 201);
        assert.ok(done.length >= 1);
        assert.equal(done.filter((r) => !r.headers.get("idempotency-replay")).length, 1);
        assert.equal(new Set(done.map((r) => r.text)).size, 1);
        for (const r of replies.filter((reply) => reply.status !== 201)) {
          assert.equal(r.status, 409, r.text);
          assert.equal(r.body.message, `Request with key "${key}" is currently being processed. Please retry after 1 second`);
          assert.equal(r.headers.get("retry-after"), "1");
          assert.equal(r.headers.get("link"), link);
          assert.equal(r.headers.get("idempotency-key"), key);
        }
        assert.equal(await workflowsNamed(name), 1);
      }
    });

    test("triggers: the event answers, and what made no event is remembered as well", async () => {
      await server.call("POST", "/v2/workflows", workflow("greet"));
      const key = fresh(), unknown = fresh(), other = fresh();
      const body = { name: "greet", to: "ada", payload: { n: 1 } };
      const first = await call("POST", "/v1/events/trigger", body, key);
      assert.equal(first.status, 201, first.text);
      assertReplay(first, await call("POST", "/v1/events/trigger", body, key));
      assertOtherBody(await call("POST", "/v1/events/trigger", { ...body, payload: { n: 2 } }, key), key);
      assertOtherBody(await call("POST", "/v2/subscribers", { subscriberId: "z" }, key), key);

      const lost = await call("POST", "/v1/events/trigger", { ...body, name: "not-yet" }, unknown);
      assert.equal(lost.status, 422);
      await server.call("POST", "/v2/workflows", workflow("not-yet"));
      assertReplay(lost, await call("POST", "/v1/events/trigger", { ...body, name: "not-yet" }, unknown));

      const greet = (await server.call("GET", "/v2/workflows/greet")).body.data;
      await server.call("PATCH", "/v2/workflows/greet", { active: false });
      const idle = await call("POST", "/v1/events/trigger", body, other);
      assert.equal(idle.body.data.status, "trigger_not_active");
      await server.call("PATCH", "/v2/workflows/greet", { active: true });
      assertReplay(idle, await call("POST", "/v1/events/trigger", body, other));
      assertReplay(first, await call("POST", "/v1/events/trigger", body, key));
      assert.ok(greet._id);
    });

    test("bulk triggers are done once and answered alike", async () => {
      const key = fresh();
      const body = { events: [{ name: "greet", to: "b1" }, { name: "nope", to: "b1" }, { name: "greet", to: "b2", transactionId: fresh("tx") }] };
      const first = await call("POST", "/v1/events/trigger/bulk", body, key);
      assert.equal(first.status, 201, first.text);
      assert.deepEqual(first.body.data.map((r) => r.status), ["processed", "error", "processed"]);
      assertReplay(first, await call("POST", "/v1/events/trigger/bulk", body, key));
      assertOtherBody(await call("POST", "/v1/events/trigger/bulk", { events: body.events.slice(1) }, key), key);
      const feed = await server.call("GET", "/v1/notifications?subscriberIds=b1&subscriberIds=b2");
      assert.equal(feed.body.data.length, 2);
      assert.equal(feed.headers.get("ratelimit-policy").includes('category="global"'), true);
    });

    test("keys outlive a restart, and are free again after 24 hours", async () => {
      const key = fresh(), event = fresh(), body = workflow("kept");
      const first = await call("POST", "/v2/workflows", body, key);
      const accepted = await call("POST", "/v1/events/trigger", { name: "kept", to: "ada" }, event);
      assert.equal(accepted.status, 201, accepted.text);
      await server.stop({ keep: true });
      server = await new Carillon({ ...options, dir: server.dir, port: server.port }).start();
      assertReplay(first, await call("POST", "/v2/workflows", body, key));
      const replayed = await call("POST", "/v1/events/trigger", { name: "kept", to: "ada" }, event);
      assertReplay(accepted, replayed);
      assert.equal((await server.call("POST", "/v1/testing/clock", { advance: "PT24H1M" })).status, 200);
      const second = await call("POST", "/v2/workflows", body, key);
      assert.equal(second.status, 201, second.text);
      assert.equal(second.headers.get("idempotency-replay"), null);
      assert.notEqual(second.body.data._id, first.body.data._id);
      let later = await call("POST", "/v1/events/trigger", { name: "kept", to: "ada" }, event);
      for (let i = 0; i < 100 && later.status === 409; i++) later = await call("POST", "/v1/events/trigger", { name: "kept", to: "ada" }, event);
      assert.equal(later.status, 201, later.text);
      assert.notEqual(later.body.data.transactionId, accepted.body.data.transactionId);
    });

    test("a killed server has done the work with its answer, or not at all", async () => {
      for (let round = 0; round < 4; round++) {
        const jobs = Array.from({ length: 24 }, (_, i) => ({ key: fresh("kill"), name: `kill-${round}-${i}` }));
        const sent = jobs.map((j) => call("POST", "/v2/workflows", workflow(j.name), j.key).catch(() => undefined));
        await new Promise((resolve) => setTimeout(resolve, round * 12));
        await server.kill();
        const before = await Promise.all(sent);
        server = await new Carillon({ ...options, dir: server.dir, port: server.port }).start();
        for (const [i, job] of jobs.entries()) {
          const again = await call("POST", "/v2/workflows", workflow(job.name), job.key);
          assert.equal(again.status, 201, again.text);
          if (before[i]?.status === 201) assertReplay(before[i], again);
          assert.equal(await count(job.name), 1, job.name);
          await server.call("DELETE", `/v2/workflows/${again.body.data._id}`);
        }
      }
    });

    test("two servers on one store do the work once", { skip: store === "sqlite" && "one process owns a SQLite file" }, async () => {
      const dir = mkdtempSync(join(tmpdir(), "carillon-second-"));
      for (const file of ["encryption.secret", "clock"]) cpSync(join(server.dir, file), join(dir, file)); // one key, one time
      const second = await new Carillon({ ...options, dir }).start();
      try {
        for (let round = 0; round < 25; round++) {
          const key = fresh("nodes"), name = `nodes-${round}`;
          const replies = await Promise.all([server, second].map((node) =>
            node.call("POST", "/v2/workflows", workflow(name), { headers: { "Idempotency-Key": key } })));
          assert.deepEqual(replies.map((r) => r.status), [201, 201], replies.map((r) => r.text).join("\n"));
          assert.equal(replies[0].text, replies[1].text);
          assert.equal(replies.filter((r) => r.headers.get("idempotency-replay")).length, 1);
          assert.equal(await count(name), 1);
        }
      } finally {
        await second.stop();
        rmSync(dir, { recursive: true, force: true });
      }
    });

    /** Workflows whose name is exactly this. */
    async function count(name) {
      const { body } = await server.call("GET", `/v2/workflows?limit=100&query=${name}`);
      return body.data.workflows.filter((w) => w.name === name).length;
    }
  });
}
