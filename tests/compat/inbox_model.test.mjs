// Random operations of two tabs, the server's API and the clock on one Inbox, against a model of inbox-realtime.md §2.6 and §2.7:
// after each, the list is the model's and the last counts that both tabs heard are a recount.
//
// One process under a virtual clock; then two processes on one PostgreSQL, a tab on each, where the clock is left alone.
// A failure names its seed and the operations up to it. Again: INBOX_SEED=<seed> node --test tests/compat/inbox_model.test.mjs;
// longer: INBOX_OPERATIONS=2000.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { random } from "./random.mjs";
import { inbox } from "./clients.mjs";
import { startPair } from "./postgres.mjs";

const seeds = process.env.INBOX_SEED ? [Number(process.env.INBOX_SEED)] : [1, 2, 3];
const operations = Number(process.env.INBOX_OPERATIONS ?? 120);
const most = 60;                        // messages at a time: beyond 100 counts stop
const MINUTE = 60_000;

let alone, shared, pair;
before(async () => {
  alone = [await Carillon.start({ args: ["--clock", "virtual"] })];
  pair = await startPair();
  shared = [pair.one, pair.two];
  const primaryAction = { label: "Go" };
  for (const server of [alone[0], shared[0]])
    for (const [workflowId, tags, severity] of [["calm", ["a"], "none"], ["loud", ["a", "b"], "high"], ["bare", [], "low"]])
      await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, tags, severity,
        steps: [{ name: "In", type: "in_app", controlValues: { body: workflowId, primaryAction } }] });
});
after(async () => {
  await alone?.[0].stop();
  await pair?.stop();
});

const kinds = { calm: { tags: ["a"], severity: "none" }, loud: { tags: ["a", "b"], severity: "high" }, bare: { tags: [], severity: "low" } };

/* --- the model ------------------------------------------------------------------------------------------------------- */

const see = { seen: true };
const change = {
  read: (m) => Object.assign(m, see, { read: true }),
  unread: (m) => Object.assign(m, see, { read: false, archived: false }),
  seen: (m) => Object.assign(m, see),
  archive: (m) => Object.assign(m, see, { read: true, archived: true }),
  unarchive: (m) => Object.assign(m, see, { read: true, archived: false }),
  "read-archive": (m) => (m.read ? change.archive(m) : m),
  complete: (m) => (change.read(m), Object.assign(m, { done: true })),
  revert: (m) => (change.read(m), Object.assign(m, { done: false })),
  snooze: (m, until) => Object.assign(m, see, { until, archived: false }),
  unsnooze: (m) => Object.assign(m, see, { until: null, archived: false }),
  // Of the older doors (rest-api.md §6.5): these touch nothing else.
  "v1-unread": (m) => Object.assign(m, { read: false }),
  "v1-unseen": (m) => Object.assign(m, { seen: false, read: false }),
};
const isNew = (m) => !m.read && !m.archived && m.until === null;
const shown = (m) => [m.transactionId, m.read, m.seen, m.archived, m.until !== null, m.done].join(" ");
const newestFirst = (a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1);

/** What a person sees of the messages, and what was announced. */
class Model {
  messages = new Map();
  announced = [];
  constructor(now) {
    this.now = now;
  }
  /** The snoozed ones that are due come back like new; the archived among them only stop being snoozed. */
  move(to) {
    for (const m of this.messages.values()) {
      if (m.until === null || m.until > to) continue;
      if (!m.archived) {
        Object.assign(m, { read: false, seen: false, createdAt: null, dueAt: m.until });
        this.announced.push(m.transactionId);
      }
      m.until = null;
    }
    this.now = to;
  }
  counts() {
    const severity = { high: 0, medium: 0, low: 0, none: 0 };
    let total = 0, unseen = 0;
    for (const m of this.messages.values())
      if (isNew(m)) {
        total++;
        severity[kinds[m.workflow].severity]++;
        unseen += m.seen ? 0 : 1;
      }
    return { total, severity, unseen };
  }
  list() {
    return [...this.messages.values()].sort(newestFirst);
  }
}

/* --- the world ------------------------------------------------------------------------------------------------------- */

/** A tab: its token, its live client, and what this heard last. */
class Tab {
  received = [];
  counts = { total: 0, severity: { high: 0, medium: 0, low: 0, none: 0 } };
  unseen = 0;
  constructor(server) {
    this.server = server;
  }
  async open(subscriberId, context) {
    const { server } = this;
    const body = { applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId }, ...(context ? { context } : {}) };
    const answer = await server.call("POST", "/v1/inbox/session", body, { key: null });
    this.token = answer.body.data.token;
    this.client = inbox(server, subscriberId, context ? { context } : {});
    const connected = new Promise((resolve, reject) =>
      this.client.on("socket.connect.resolved", ({ error }) => (error ? reject(error) : resolve())));
    this.client.on("notifications.notification_received", ({ result }) => this.received.push(result.transactionId));
    this.client.on("notifications.unread_count_changed", ({ result }) => (this.counts = result));
    this.client.on("notifications.unseen_count_changed", ({ result }) => (this.unseen = result));
    await connected;
    return this;
  }
  close() {
    return this.client.socket.disconnect();
  }
  async call(method, path, body, wanted) {
    const answer = await this.server.call(method, path, body, { key: null, headers: { Authorization: `Bearer ${this.token}` } });
    assert.equal(answer.status, wanted, `${method} ${path}: ${answer.text}`);
    return answer.body;
  }
}

class World {
  log = [];
  triggered = 0;
  /** nodes: processes on one store; a tab is on each, or both on the only one. */
  constructor(nodes, seed) {
    this.nodes = nodes;
    this.clocked = nodes.length === 1;
    this.who = `model-${seed}`;
    this.random = random(seed);
  }
  async open() {
    const [first, second = first] = this.nodes;
    this.tabs = [await new Tab(first).open(this.who), await new Tab(second).open(this.who)];
    this.stranger = await new Tab(second).open(this.who, { tenant: "elsewhere" });
    this.model = new Model(this.clocked ? Date.parse((await first.call("GET", "/v1/testing/clock")).body.data.now) : Date.now());
    return this;
  }
  /** As the server's owner, of any process. */
  async api(method, path, body, wanted) {
    const answer = await this.random.pick(this.nodes).call(method, path, body);
    assert.equal(answer.status, wanted, `${method} ${path}: ${answer.text}`);
    return answer.body;
  }
  async close() {
    for (const tab of [...this.tabs, this.stranger]) await tab.close();
  }
  /** One of both tabs, or the server: each has a path to notifications of its own. */
  door() {
    const { below } = this.random, n = below(3);
    if (n < 2) return { name: `tab ${n}`, call: (...args) => this.tabs[n].call(...args), path: "/v1/inbox/notifications", person: true };
    return { name: "server", call: (...args) => this.api(...args), path: `/v2/subscribers/${this.who}/notifications`, person: false };
  }

  /* Each operation: what is done is said first, then done, then done to the model. */

  async trigger() {
    if (this.model.messages.size >= most) return this.bulk("delete");
    const workflow = this.random.pick(Object.keys(kinds)), transactionId = `${this.who}-${this.triggered++}`;
    this.log.push(`trigger ${workflow} ${transactionId}`);
    await this.api("POST", "/v1/events/trigger", { name: workflow, to: this.who, transactionId }, 201);
    const find = async () => (await this.tabs[0].call("GET", "/v1/inbox/notifications?limit=100", undefined, 200)).data.find((m) => m.transactionId === transactionId);
    const found = await until(find, transactionId), { id } = found, createdAt = Date.parse(found.createdAt);
    if (this.clocked) assert.equal(createdAt, this.model.now);
    this.model.messages.set(id, { id, transactionId, workflow, createdAt, read: false, seen: false, archived: false, until: null, done: false });
    this.model.announced.push(transactionId);
  }
  async single(m, name = this.random.pick(["read", "unread", "seen", "archive", "unarchive", "complete", "revert", "snooze", "unsnooze", "delete"])) {
    const door = this.door(), { call, path, person } = door;
    this.log.push(`${door.name}: ${name} ${m.transactionId}`);
    const until = this.model.now + MINUTE * ((this.clocked ? 1 : 60) + this.random.below(180));
    const awake = m.until === null;     // as it is now: operations on others may be under way
    if (name === "delete") this.model.messages.delete(m.id);
    else if (name === "snooze") change.snooze(m, until);
    else if (name !== "unsnooze" || !awake) change[name](m);
    switch (name) {
      case "seen": return call("POST", `${path}/seen`, { notificationIds: [m.id] }, 204);
      case "snooze": return call("PATCH", `${path}/${m.id}/snooze`, { snoozeUntil: new Date(until).toISOString() }, 200);
      case "unsnooze": return call("PATCH", `${path}/${m.id}/unsnooze`, undefined, awake ? 404 : 200);
      case "delete": return call("DELETE", person ? `${path}/${m.id}/delete` : `${path}/${m.id}`, undefined, 204);
      case "complete":
      case "revert":
        return person ? call("PATCH", `${path}/${m.id}/${name}`, { actionType: "primary" }, 200)
                      : call("PATCH", `${path}/${m.id}/actions/primary/${name}`, undefined, 200);
      default: return call("PATCH", `${path}/${m.id}/${name}`, undefined, 200);
    }
  }
  /** Different messages at once, over different doors. */
  async together(list) {
    const some = new Set(Array.from({ length: 4 }, () => this.random.pick(list)));
    this.log.push("together:");
    await Promise.all([...some].map((m) => this.single(m)));
  }
  async bulk(name = this.random.pick(["read", "archive", "read-archive", "seen", "delete"])) {
    const door = this.door(), tags = this.random.pick([undefined, ["a"], ["b"], { and: [{ or: ["a"] }, { or: ["b", "x"] }] }]);
    this.log.push(`${door.name}: all ${name} ${JSON.stringify(tags)}`);
    await door.call("POST", `${door.path}/${name}`, tags ? { tags } : {}, 204);
    const groups = !tags ? [] : Array.isArray(tags) ? [tags] : tags.and.map((g) => g.or);
    for (const m of this.model.list())
      if (groups.every((group) => group.some((tag) => kinds[m.workflow].tags.includes(tag)))) {
        if (name === "delete") this.model.messages.delete(m.id);
        else change[name](m);
      }
  }
  async older(m) {
    const name = this.random.pick(["read", "seen", "unread", "unseen"]), door = this.random.below(2);
    this.log.push(`${door ? "v1" : "widgets"}: ${name} ${m.transactionId}`);
    const body = { messageId: m.id, markAs: name };
    if (door) await this.api("POST", `/v1/subscribers/${this.who}/messages/mark-as`, body, 201);
    else await this.tabs[0].call("POST", "/v1/widgets/messages/mark-as", body, 201);
    change[name === "unread" || name === "unseen" ? `v1-${name}` : name](m);
  }
  /** All of them through the older doors, which know no filters. */
  async olderBulk() {
    const name = this.random.pick(["read", "seen"]), door = this.random.below(2);
    this.log.push(`${door ? "v1" : "widgets"}: all ${name}`);
    if (door) await this.api("POST", `/v1/subscribers/${this.who}/messages/mark-all`, { markAs: name }, 201);
    else await this.tabs[1].call("POST", `/v1/widgets/messages/${name}`, {}, 201);
    for (const m of this.model.list()) change[name](m);
  }
  async remove(m) {
    const whole = this.random.chance(0.5);
    this.log.push(`api: delete ${m.transactionId}${whole ? " by transaction" : ""}`);
    if (whole) await this.api("DELETE", `/v1/messages/transaction/${m.transactionId}`, undefined, 204);
    else await this.api("DELETE", `/v1/messages/${m.id}`, undefined, 200);
    this.model.messages.delete(m.id);
  }
  async jump() {
    if (!this.clocked) return this.trigger();
    const minutes = this.random.pick([1, 7, 30, 100]);
    this.log.push(`clock: ${minutes} minutes`);
    await this.api("POST", "/v1/testing/clock", { advance: `PT${minutes}M` }, 200);
    this.model.move(this.model.now + minutes * MINUTE);
  }
  async step() {
    const list = this.model.list(), n = this.random.below(100);
    if (n < 30 || !list.length) return this.trigger();
    if (n < 62) return this.single(this.random.pick(list));
    if (n < 72) return this.together(list);
    if (n < 80) return this.bulk();
    if (n < 82) return this.olderBulk();
    if (n < 86) return this.older(this.random.pick(list));
    if (n < 90) return this.remove(this.random.pick(list));
    return this.jump();
  }

  /* What must be true when nothing is under way. */

  /** All pages, as a tab scrolls. Those that came back have the time of that. */
  async listed() {
    const tab = this.random.pick(this.tabs), limit = 1 + this.random.below(25), all = [];
    for (let after = "", more = true; more; ) {
      const page = await tab.call("GET", `/v1/inbox/notifications?limit=${limit}${after && `&after=${after}`}`, undefined, 200);
      all.push(...page.data);
      more = page.hasMore;
      after = all.at(-1)?.id ?? "";
    }
    return all;
  }
  async check() {
    const { model } = this, list = await this.listed();
    for (const { id, createdAt } of list) {
      const m = model.messages.get(id);
      if (m && m.createdAt === null) {
        m.createdAt = Date.parse(createdAt);
        assert.ok(m.createdAt >= m.dueAt && m.createdAt <= model.now, `${m.transactionId} came back at ${createdAt}`);
      }
    }
    const of = (n) => [n.transactionId, n.isRead, n.isSeen, n.isArchived, n.isSnoozed, n.primaryAction.isCompleted].join(" ");
    assert.deepEqual(list.map(of), model.list().map(shown), "the list");
    const wanted = model.counts(), open = { read: false, archived: false, snoozed: false };
    const filters = [open, { ...open, severity: "high" }, { ...open, severity: ["low", "none"] }, { ...open, seen: false }, { tags: ["b"] }];
    const recount = (await this.tabs[1].call("GET", `/v1/inbox/notifications/count?filters=${encodeURIComponent(JSON.stringify(filters))}`, undefined, 200)).data;
    assert.deepEqual(recount.map((c) => c.count), [wanted.total, wanted.severity.high, wanted.severity.low + wanted.severity.none,
      wanted.unseen, model.list().filter((m) => kinds[m.workflow].tags.includes("b")).length], "the recount");
    const heard = (tab) => ({ ...tab.counts, unseen: tab.unseen });
    // What was deleted before another process looked is not announced there.
    const gone = new Set(this.clocked ? [] : model.announced.filter((t) => !model.list().some((m) => m.transactionId === t)));
    const rest = (announced) => announced.filter((t) => !gone.has(t)).toSorted();
    const same = (tab) => JSON.stringify(heard(tab)) === JSON.stringify(wanted) && rest(tab.received).join() === rest(model.announced).join();
    await until(() => this.tabs.every(same), "the counts", 5000).catch(() => {});
    for (const tab of this.tabs) {
      assert.deepEqual(heard(tab), wanted, `the counts that tab ${this.tabs.indexOf(tab)} heard last`);
      assert.deepEqual(rest(tab.received), rest(model.announced), "what was announced");
    }
    if (!this.clocked) assert.equal(new Set(this.tabs[0].received).size, this.tabs[0].received.length, "nothing twice");
    assert.deepEqual([this.stranger.received, heard(this.stranger).total, heard(this.stranger).unseen], [[], 0, 0], "another context");
  }
}

async function run(nodes, seed) {
  const world = await new World(nodes, seed).open();
  try {
    for (let i = 0; i < operations; i++) {
      await world.step();
      if (world.random.chance(0.7) || i === operations - 1) await world.check();
    }
    // Never stale-last: once all is quiet, nothing older comes after.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await world.check();
  } catch (error) {
    error.message += `\nINBOX_SEED=${seed}, after ${world.log.length} operations; the last:\n  ${world.log.slice(-12).join("\n  ")}`;
    throw error;
  } finally {
    await world.close();
  }
}

for (const seed of seeds) {
  test(`seed ${seed}: the list is the model's and counts are recounts`, () => run(alone, seed));
  test(`seed ${seed}: with a tab on each of two processes`, () => run(shared, seed));
}
