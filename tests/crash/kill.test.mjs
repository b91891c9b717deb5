// kill -9 under load, again and again: whatever was acknowledged is there exactly once afterwards.
//
// Clients trigger with transaction ids of their own and note each 201. The server is killed at a random moment,
// started again on the same data, and so on; CRASH_KILLS (default 20) times, CRASH_SEED replays the moments.
import { test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "../compat/carillon.mjs";
import { startPostgres } from "../compat/postgres.mjs";

const kills = Number(process.env.CRASH_KILLS ?? 20);
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1e9);

// mulberry32: small, and the same everywhere.
function random(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const workflow = {
  name: "Crash", workflowId: "crash", active: true,
  steps: [
    { name: "Bell", type: "in_app", controlValues: { body: "{{payload.n}}" } },
    { name: "Mail", type: "email", controlValues: { subject: "{{payload.n}}", body: "<p>{{payload.n}}</p>", editorType: "html" } },
  ],
};

async function torture(t, options) {
  const next = random(seed);
  t.diagnostic(`seed ${seed}, ${kills} kills`);
  const server = new Carillon(options);
  await server.start();
  assert.equal((await server.call("POST", "/v2/workflows", workflow)).status, 201);

  const acknowledged = new Set();
  const sent = new Set();
  let n = 0;
  for (let kill = 0; kill < kills; kill++) {
    const started = performance.now();
    let dying = false;
    const clients = Array.from({ length: 16 }, async (_, c) => {
      while (!dying) {
        const transactionId = `k${kill}-${c}-${n++}`;
        sent.add(transactionId);
        try {
          const { status } = await server.call("POST", "/v1/events/trigger", {
            name: "crash", to: { subscriberId: `c${c}`, email: `c${c}@example.com` }, payload: { n: transactionId }, transactionId,
          });
          if (status === 201) acknowledged.add(transactionId);
          else assert.equal(status, 503, `a trigger was answered with ${status}`);
        } catch (error) {
          if (error.code === "ERR_ASSERTION") throw error;
          return; // the server is gone
        }
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 20 + next() * 180));
    dying = true;
    const { signal } = await server.kill();
    assert.equal(signal, "SIGKILL", `the server had ended by itself\n${server.log.slice(-4000)}`);
    await Promise.all(clients);
    await server.start();
    t.diagnostic(`kill ${kill + 1}: ${acknowledged.size} acknowledged, ${Math.round(performance.now() - started)} ms`);
  }

  // Wait until nothing is under way, then read everything once, page by page.
  const all = async () => {
    const found = new Map();
    for (let page = 0; ; page++) {
      const { status, body } = await server.call("GET", `/v1/messages?channel=in_app&limit=1000&page=${page}`);
      assert.equal(status, 200);
      for (const message of body.data) found.set(message.transactionId, (found.get(message.transactionId) ?? 0) + 1);
      if (!body.hasMore) return found;
    }
  };
  const found = await until(async () => {
    const found = await all();
    return [...acknowledged].every((id) => found.has(id)) && found;
  }, "every acknowledged message", 60000).catch(async (error) => {
    const found = await all();
    const lost = [...acknowledged].filter((id) => !found.has(id));
    throw new Error(`${lost.length} of ${acknowledged.size} acknowledged triggers have no message, e.g. ${lost.slice(0, 5)}: ${error.message}`);
  });
  const twice = [...found].filter(([, times]) => times !== 1);
  assert.deepEqual(twice, [], "messages that exist more than once");
  // A trigger without an answer may or may not have happened; one that nobody sent cannot have.
  assert.deepEqual([...found.keys()].filter((id) => !sent.has(id)), []);

  // The e-mails are at least once.
  await until(async () => {
    for (const id of [...acknowledged].slice(-20)) {
      const { body } = await server.call("GET", `/v1/outbox?transactionId=${id}`);
      if (body.data.length < 1) return false;
    }
    return true;
  }, "the last e-mails");
  assert.ok(acknowledged.size > kills, "too little load to prove anything");
  t.diagnostic(`${sent.size} sent, ${acknowledged.size} acknowledged, ${found.size} found once each`);
  await server.stop();
}

test("SQLite", (t) => torture(t, {}));

test("PostgreSQL", async (t) => {
  const postgres = await startPostgres();
  try {
    await torture(t, { env: { CARILLON_DATABASE_URL: postgres.url } });
  } finally {
    await postgres.stop();
  }
});
