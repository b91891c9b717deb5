// One person in three contexts, each with a tab that listens: whatever door writes, and however many messages at once, every tab
// ends with the counts of its own context, and pages that join contexts lose and repeat nothing.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { inbox } from "./clients.mjs";

const HOUR = 3600_000;
const CONTEXTS = { none: undefined, a: { tenant: "a" }, b: { tenant: "b", region: { id: "eu" } } };
const KEYS = { none: [], a: ["tenant:a"], b: ["tenant:b", "region:eu"] };
let server;
const clients = [];
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  for (const [workflowId, tags] of [["bell", ["x"]], ["gong", ["y"]]])
    assert.equal((await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, tags,
      steps: [{ type: "in_app", name: "In", controlValues: { body: "b", primaryAction: { label: "Go" } } }] })).status, 201);
});
after(async () => {
  for (const client of clients) await client.socket.disconnect();
  await server?.stop();
});

const openOnly = { read: false, archived: false, snoozed: false };

async function person(subscriberId, each = 4) {
  const tabs = {};
  for (const [name, context] of Object.entries(CONTEXTS)) {
    const session = await server.call("POST", "/v1/inbox/session",
      { applicationIdentifier: server.dev.applicationIdentifier, subscriber: subscriberId, ...(context && { context }) }, { key: null });
    assert.equal(session.status, 201, session.text);
    const client = inbox(server, subscriberId, context ? { context } : {}), tab = { total: 0, unseen: 0, received: 0 };
    clients.push(client);
    const connected = new Promise((resolve) => client.on("socket.connect.resolved", resolve));
    client.on("notifications.unread_count_changed", ({ result }) => Object.assign(tab, { total: result.total, severity: result.severity }));
    client.on("notifications.unseen_count_changed", ({ result }) => (tab.unseen = result));
    client.on("notifications.notification_received", () => tab.received++);
    await connected;
    tab.ask = (method, path, body) => server.call(method, `/v1/inbox/notifications${path}`, body, { key: null, headers: { Authorization: `Bearer ${session.body.data.token}` } });
    tab.list = async (query = "") => (await tab.ask("GET", `?limit=100${query}`)).body.data;
    tab.count = async () => (await tab.ask("GET", `/count?filters=${encodeURIComponent(JSON.stringify([openOnly, { ...openOnly, seen: false }]))}`)).body.data.map((c) => c.count);
    tabs[name] = tab;
  }
  const events = Object.values(CONTEXTS).flatMap((context) => Array.from({ length: each }, (_, i) =>
    ({ name: i % 2 ? "gong" : "bell", to: subscriberId, ...(context && { context }) })));
  if (each) assert.equal((await server.call("POST", "/v1/events/trigger/bulk", { events })).status, 201);
  const settled = async (what) => {
    for (const [name, tab] of Object.entries(tabs)) {
      let want;
      await until(async () => {
        want = await tab.count();
        return tab.total === want[0] && tab.unseen === want[1];
      }, `the counts of ${name} after ${what}`, 4000).catch((error) => { throw new Error(`${error.message}: ${JSON.stringify({ want, has: [tab.total, tab.unseen] })}`); });
      if (tab.severity) assert.equal(Object.values(tab.severity).reduce((a, b) => a + b), tab.total, what);
    }
  };
  await until(async () => Object.values(tabs).every((tab) => tab.received === each), "the messages");
  await settled("the trigger");
  const door = (method, path, body) => server.call(method, `/v2/subscribers/${subscriberId}/notifications${path}`, body);
  return { tabs, settled, door };
}

test("bulk writes through the browser change their own context only", async () => {
  const writes = [["/seen", {}], ["/seen", { tags: ["x"] }], ["/read", { tags: ["x"] }], ["/read-archive", {}], ["/archive", { tags: ["y"] }], ["/read", {}], ["/delete", { tags: ["x"] }], ["/delete", {}]];
  for (const [i, [path, body]] of writes.entries()) {
    const { tabs, settled } = await person(`own-${i}`);
    const before = await tabs.none.list(), other = await tabs.b.list();
    assert.equal((await tabs.a.ask("POST", path, body)).status, 204);
    await settled(path);
    assert.deepEqual([await tabs.none.list(), await tabs.b.list()], [before, other], path);
  }
});

test("the server's door: no contextKeys is every context, an empty one is none, and the tabs hear of it", async () => {
  const ways = [["/read", { tags: ["x"] }, (m) => m.isRead === m.tags.includes("x")], ["/seen", {}, (m) => m.isSeen], ["/archive", {}, (m) => m.isArchived], ["/read", {}, (m) => m.isRead]];
  let n = 0;
  for (const [path, body, is] of ways)
    for (const [query, touched] of [["", ["none", "a", "b"]], ["?contextKeys=", ["none"]], ["?contextKeys=tenant:a", ["a"]], ["?contextKeys=tenant:b&contextKeys=region:eu", ["b"]],
      ["?contextKeys[]=region:eu&contextKeys[]=tenant:b", ["b"]], ["?contextKeys[0]=tenant:a", ["a"]], ["?contextKeys=tenant:b", []]]) {
      const { tabs, settled, door } = await person(`door-${n++}`);
      const before = Object.fromEntries(await Promise.all(Object.entries(tabs).map(async ([name, tab]) => [name, await tab.list()])));
      assert.equal((await door("POST", `${path}${query}`, body)).status, 204);
      await settled(path + query);
      for (const [name, tab] of Object.entries(tabs)) {
        const now = await tab.list();
        if (touched.includes(name)) assert.ok(now.every(is), `${path}${query}: ${name}`);
        else assert.deepEqual(now, before[name], `${path}${query}: ${name}`);
      }
    }
});

test("pages that join contexts: every limit, lists and counts agree", async () => {
  const { door, tabs } = await person("joined", 7);
  const [first] = await tabs.a.list();
  assert.equal((await door("PATCH", `/${first.id}/read`)).status, 200);
  for (const filter of ["", "&read=false", "&read=true", "&tags=x", "&seen=false"]) {
    const all = (await Promise.all(Object.values(tabs).map((tab) => tab.list(filter)))).flat().map((m) => m.id);
    const whole = (await door("GET", `?limit=100${filter}`)).body.data.map((m) => m.id);
    assert.deepEqual([...whole].sort(), all.sort(), filter);
    for (const limit of [1, 2, 5, 20]) {
      const found = [];
      for (let more = true; more; ) {
        const page = (await door("GET", `?limit=${limit}${filter}${found.length ? `&after=${found.at(-1)}` : ""}`)).body;
        found.push(...page.data.map((m) => m.id));
        more = page.hasMore;
      }
      assert.deepEqual(found, whole, `${filter} by ${limit}`);
    }
    for (let offset = 0; offset < whole.length; offset += 4)
      assert.deepEqual((await door("GET", `?limit=4&offset=${offset}${filter}`)).body.data.map((m) => m.id), whole.slice(offset, offset + 4), `${filter} from ${offset}`);
  }
  const count = async (query) => (await door("GET", `/count?filters=${encodeURIComponent(JSON.stringify([{}, { read: true }]))}${query}`)).body.data.map((c) => c.count);
  assert.deepEqual(await count(""), [21, 1]);
  assert.deepEqual(await count("&contextKeys=tenant:a"), [7, 1]);
  assert.deepEqual(await count("&contextKeys="), [7, 0]);
});

test("single writes by the server are heard in the message's context; another context's tab cannot touch it", async () => {
  const { tabs, settled, door } = await person("single");
  for (const name of Object.keys(CONTEXTS)) {
    const [one, two] = await tabs[name].list();
    for (const verb of ["read", "unread", "archive", "unarchive"]) {
      const { status, body } = await door("PATCH", `/${one.id}/${verb}`);
      assert.equal(status, 200);
      assert.equal(body.data.id, one.id);
      await settled(`${verb} in ${name}`);
    }
    for (const [other, tab] of Object.entries(tabs))
      if (other !== name)
        for (const [method, path, body] of [["PATCH", "read"], ["PATCH", "archive"], ["PATCH", "complete", { actionType: "primary" }], ["DELETE", "delete"]])
          assert.equal((await tab.ask(method, `/${one.id}/${path}`, body)).status, 404, `${path} of ${name} from ${other}`);
    assert.equal((await door("DELETE", `/${two.id}`)).status, 204);
    await settled(`delete in ${name}`);
    const some = (await tabs[name].list()).map((m) => m.id);
    assert.equal((await door("POST", "/seen", { notificationIds: some.slice(0, 2) })).status, 204);
    await settled(`seen in ${name}`);
    assert.equal((await server.call("DELETE", `/v1/messages/${some[0]}`)).status, 200);
    await settled(`the message is deleted in ${name}`);
  }
});

test("older doors are heard too: mark all, mark as, delete by transaction", async () => {
  const { tabs, settled } = await person("older");
  const [one, two] = await tabs.none.list();
  const key = { messageId: [one.id], mark: { read: true } };
  assert.equal((await server.call("POST", "/v1/subscribers/older/messages/markAs", key)).status, 201);
  await settled("markAs");
  assert.equal((await server.call("POST", "/v1/subscribers/older/messages/mark-as", { messageId: two.id, markAs: "seen" })).status, 201);
  await settled("mark-as");
  assert.equal((await server.call("POST", "/v1/subscribers/older/messages/mark-all", { markAs: "read" })).status, 201);
  await settled("mark-all");
  assert.equal((await server.call("POST", "/v1/subscribers/older/messages/mark-all", { markAs: "unread" })).status, 201);
  await settled("mark-all unread");
  assert.equal((await server.call("DELETE", `/v1/messages/transaction/${(await tabs.a.list())[0].transactionId}`)).status, 204);
  await settled("delete by transaction");
  assert.equal((await server.call("DELETE", "/v2/subscribers/older")).status, 200);
});

test("snooze, archive and read in every order, with two kills of the server; a model knows what comes of it", async () => {
  const { tabs: { a: tab }, door, settled } = await person("orders", 6);
  const now = async () => Date.parse((await server.call("GET", "/v1/testing/clock")).body.data.now);
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  const model = new Map((await tab.list()).map((m) => [m.id, { read: false, archived: false, snoozed: null }]));
  for (let i = 0; i < 250; i++) {
    if (i === 80 || i === 160) {
      const at = new Date(await now()).toISOString();
      await server.kill();
      await server.start();
      assert.equal((await server.call("POST", "/v1/testing/clock", { now: at })).status, 200);
    }
    const ids = [...model.keys()], id = ids[random(ids.length)], m = model.get(id), what = random(10), by = random(2);
    const write = (verb, body) => (by ? door("PATCH", `/${id}/${verb}`, body) : tab.ask("PATCH", `/${id}/${verb}`, body));
    let answer;
    if (what === 0) [answer, m.read] = [await write("read"), true];
    else if (what === 1) [answer, m.read, m.archived] = [await write("unread"), false, false];
    else if (what === 2) [answer, m.archived, m.read] = [await write("archive"), true, true];
    else if (what === 3) [answer, m.archived, m.read] = [await write("unarchive"), false, true];
    else if (what <= 5) {
      const at = (await now()) + HOUR * (1 + random(5));
      [answer, m.snoozed, m.archived] = [await write("snooze", { snoozeUntil: new Date(at).toISOString() }), at, false];
    } else if (what === 6) {
      answer = await write("unsnooze");
      if (m.snoozed) Object.assign(m, { snoozed: null, archived: false });
      else answer = assert.equal(answer.status, 404);
    } else if (what === 7) {
      const to = (await now()) + HOUR * random(4);
      assert.equal((await server.call("POST", "/v1/testing/clock", { now: new Date(to).toISOString() })).status, 200);
      for (const one of model.values())
        if (one.snoozed && one.snoozed <= to) Object.assign(one, { snoozed: null, ...(!one.archived && { read: false }) });
    } else if (what === 8) {
      assert.equal((await tab.ask("POST", "/read", { })).status, 204);
      for (const one of model.values()) one.read = true;
    } else {
      assert.equal((await door("POST", "/read-archive?contextKeys=tenant:a")).status, 204);
      for (const one of model.values()) if (one.read) one.archived = true;
    }
    if (answer) assert.equal(answer.status, 200, answer.text);
    const state = (list) => Object.fromEntries(list.map((n) => [n.id, [n.isRead, n.isArchived, n.snoozedUntil ? Date.parse(n.snoozedUntil) : null]]));
    const want = Object.fromEntries([...model].map(([key, v]) => [key, [v.read, v.archived, v.snoozed]]));
    await until(async () => {
      const has = state(await tab.list());
      assert.deepEqual(has, want, `step ${i}: ${what}`);
      return true;
    }, "the state", what === 7 ? 3000 : 0);
    if (i % 10 === 9 && i < 80) await settled(`step ${i}`);
    assert.deepEqual(state(await tab.list("&snoozed=true")), Object.fromEntries(Object.entries(want).filter(([, v]) => v[2])));
  }
  // Clients take their time to come back; what they missed meanwhile they learn with the next change.
  const [id] = model.keys();
  await until(async () => {
    await tab.ask("PATCH", `/${id}/unread`);
    await tab.ask("PATCH", `/${id}/read`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const want = await tab.count();
    assert.deepEqual([tab.total, tab.unseen], want);
    return true;
  }, "the counts after the restarts");
});
