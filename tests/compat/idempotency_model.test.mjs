// Random interleavings of calls with few keys (rest-api.md §5): whatever arrives together, in which order, at which process,
// and whatever is killed meanwhile, the work of a key is done once, its answers are one text, and another body gets 422.
//
// A failure names its seed. Again: IDEMPOTENCY_SEED=<seed> node --test tests/compat/idempotency_model.test.mjs; longer:
// IDEMPOTENCY_ROUNDS=100.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { random } from "./random.mjs";
import { startPair, startPostgres } from "./postgres.mjs";

const seeds = process.env.IDEMPOTENCY_SEED ? [Number(process.env.IDEMPOTENCY_SEED)] : [1, 2];
const rounds = Number(process.env.IDEMPOTENCY_ROUNDS ?? 12);

/* Works that would leave something new each time, and how often each was done: by the name that is in its body. */
const notificationsOf = async (server, who) => (await server.call("GET", `/v1/notifications?limit=50&subscriberIds=${who}`)).body.data.length;
const works = {
  integration: {
    status: 201,
    call: (name) => ["POST", "/v1/integrations", { providerId: "twilio", channel: "sms", name, credentials: {} }],
    done: async (server, name) => (await server.call("GET", "/v1/integrations")).body.data.filter((i) => i.name === name).length,
  },
  trigger: { status: 201, call: (name) => ["POST", "/v1/events/trigger", { name: "w", to: name }], done: notificationsOf },
  bulk: {
    status: 201,
    call: (name) => ["POST", "/v1/events/trigger/bulk", { events: [{ name: "w", to: name }, { name: "w", to: `${name}-2` }] }],
    done: async (server, name) => {
      const both = [await notificationsOf(server, name), await notificationsOf(server, `${name}-2`)];
      assert.equal(both[0], both[1], "half of a bulk call");
      return both[0];
    },
  },
  patch: {
    status: 200,
    call: (name) => ["PATCH", "/v2/subscribers/counted", { data: { last: name } }],
    done: undefined, // doing it again changes nothing: only its answers count
  },
  refused: { status: 422, call: (name) => ["POST", "/v1/integrations", { providerId: "nobody", name }], done: undefined },
};

/** servers: asked at random; crash: kills and starts one of them, or undefined. */
async function play(seed, servers, crash) {
  const r = random(seed), keys = new Map(), kinds = Object.keys(works);
  const send = async (key, name) => {
    const { kind } = keys.get(key);
    const [method, path, body] = works[kind].call(name);
    try {
      return await r.pick(servers).call(method, path, body, { headers: { "Idempotency-Key": key } });
    } catch {
      return undefined; // the process died under it
    }
  };
  const settle = async (key, name) => {
    // As SDKs do: again with the same key until there is an answer.
    for (;;) {
      const reply = await send(key, name);
      if (reply && reply.status !== 409 && reply.status < 500) return reply;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  for (let round = 0; round < rounds; round++) {
    const calls = [];
    for (let i = 1 + r.below(6); i > 0; i--) {
      const key = keys.size && r.chance(0.6) ? r.pick([...keys.keys()]) : `key-${seed}-${process.pid}-${keys.size}`;
      if (!keys.has(key)) keys.set(key, { kind: r.pick(kinds), answers: [] });
      const name = `${key}-${r.pick(["a", "a", "b"])}`;
      for (let times = 1 + r.below(3); times > 0; times--) calls.push([key, name]);
    }
    const pending = calls.map(([key, name]) => send(key, name));
    if (crash && r.chance(0.25)) await crash();
    (await Promise.all(pending)).forEach((reply, i) => reply && keys.get(calls[i][0]).answers.push([calls[i][1], reply]));
  }
  for (const [key, { kind, answers }] of keys) {
    for (const body of ["a", "b"]) answers.push([`${key}-${body}`, await settle(key, `${key}-${body}`)]);
    const what = `seed ${seed}, ${kind} ${key}: ${answers.map(([name, x]) => `${name.slice(-1)}${x.status}`).join(" ")}`;
    const own = ([, x]) => !/is being reused for a different body|is currently being processed/.test(x.text);
    const bodies = new Set(answers.filter(own).map(([name]) => name));
    assert.equal(bodies.size, 1, `two bodies had the key: ${what}`);
    const [winner] = bodies;
    for (const [name, x] of answers) {
      if (!own([name, x])) assert.equal(x.status, x.text.includes("currently") ? 409 : name === winner ? "its own answer" : 422, what);
      else assert.equal(x.status, works[kind].status, `${what}: ${x.text}`);
    }
    const texts = new Set(answers.filter(own).map(([, x]) => x.text.replace(/"timestamp":"[^"]*"/, "")));
    assert.equal(texts.size, 1, `different answers: ${what}: ${[...texts].join(" | ")}`);
    if (!works[kind].done) continue;
    const loser = winner.endsWith("a") ? `${key}-b` : `${key}-a`;
    await until(async () => (await works[kind].done(servers[0], winner)) >= 1, `the work: ${what}`);
    assert.equal(await works[kind].done(servers[0], winner), 1, `done more than once: ${what}`);
    assert.equal(await works[kind].done(servers[0], loser), 0, `done for another body: ${what}`);
  }
}

async function prepare(server) {
  await server.call("POST", "/v2/workflows", { name: "w", workflowId: "w", active: true, steps: [{ name: "s", type: "in_app", controlValues: { body: "x" } }] });
  await server.call("POST", "/v2/subscribers", { subscriberId: "counted" });
}

describe("keys at random", () => {
  for (const store of ["sqlite", "postgres"])
    for (const seed of seeds)
      test(`one process on ${store}, killed now and then, seed ${seed}`, async (t) => {
        const postgres = store === "postgres" ? await startPostgres() : undefined;
        const server = await Carillon.start({ env: postgres ? { CARILLON_DATABASE_URL: postgres.url } : {} });
        t.after(async () => {
          await server.stop();
          await postgres?.stop();
        });
        await prepare(server);
        await play(seed, [server], async () => {
          await server.kill();
          await server.start();
        });
      });

  for (const seed of seeds)
    test(`two processes on one PostgreSQL, seed ${seed}`, async (t) => {
      const pair = await startPair({ args: ["--public-url", "https://carillon.example"] });
      t.after(() => pair.stop());
      await prepare(pair.one);
      await play(seed, [pair.one, pair.two]);
    });
});
