// kill -9 in the middle of a fan-out, again and again: every subscriber gets it exactly once.
import { test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "../compat/carillon.mjs";
import { startPostgres } from "../compat/postgres.mjs";

const people = Number(process.env.CRASH_PEOPLE ?? 6000);
const kills = Number(process.env.CRASH_KILLS ?? 6);
// What a process had begun when it was killed is its own until its lease ends, a minute after it was last renewed; but the one that
// starts in its directory takes it over at once.
const patience = 40000;

async function torture(t, options) {
  const server = new Carillon(options);
  await server.start();
  const workflow = { name: "Crash", workflowId: "crash", active: true,
    steps: [{ name: "Bell", type: "in_app", controlValues: { body: "{{payload.n}}" } }] };
  assert.equal((await server.call("POST", "/v2/workflows", workflow)).status, 201);
  const progress = async (tx) => (await server.call("GET", `/v1/events/trigger/${tx}`)).body.data;
  const to = Array.from({ length: people }, (_, i) => `p${i}`);
  // The long `to` first, then everybody whom it made: both kinds of cursor are hit.
  for (const [tx, path, body] of [["long", "", { to }], ["all", "/broadcast", {}]]) {
    const { status } = await server.call("POST", `/v1/events/trigger${path}`, { name: "crash", payload: { n: 1 }, transactionId: tx, ...body });
    assert.equal(status, 201);
    let middle = 0;
    for (let kill = 1; kill <= kills; kill++) {
      const goal = Math.floor((people * kill) / (kills + 1));
      const now = await until(async () => { const p = await progress(tx); return (p.expanded >= goal || p.state === "completed") && p; }, `${goal} of ${tx}`, patience);
      middle += now.state === "running";
      await server.kill();
      await server.start();
      const after = await progress(tx);
      assert.ok(after.expanded >= now.expanded, "what was done is done");
    }
    assert.ok(middle > 0, "no kill hit the middle");
    const end = await until(async () => { const p = await progress(tx); return p.state === "completed" && p; }, `the end of ${tx}`, patience);
    assert.deepEqual([end.total, end.expanded, end.runs], [people, people, people]);
    const found = new Map();
    for (let page = 0; ; page++) {
      const { body } = await server.call("GET", `/v1/messages?transactionId=${tx}&limit=1000&page=${page}`);
      for (const message of body.data) found.set(message._subscriberId, (found.get(message._subscriberId) ?? 0) + 1);
      if (!body.hasMore) break;
    }
    assert.equal(found.size, people);
    assert.deepEqual([...found.values()].filter((times) => times !== 1), [], "messages that exist more than once");
    t.diagnostic(`${tx}: ${middle} of ${kills} kills in the middle, ${found.size} found once each`);
  }
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
