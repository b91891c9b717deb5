// Two tabs, new messages and the clock at the same moment: whatever comes first, what is stored is one of the orders, and the
// last counts that every tab heard are a recount.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { inbox } from "./clients.mjs";

const HOUR = 3600_000;
let server, clocked;
const open = [];
const workflow = { name: "Bell", workflowId: "bell", active: true, steps: [{ type: "in_app", name: "In", controlValues: { body: "b" } }] };
before(async () => {
  [server, clocked] = await Promise.all([Carillon.start(), Carillon.start({ args: ["--clock", "virtual"] })]);
  for (const at of [server, clocked]) assert.equal((await at.call("POST", "/v2/workflows", workflow)).status, 201);
});
after(async () => {
  for (const client of open) await client.socket.disconnect();
  await server?.stop();
  await clocked?.stop();
});

const openOnly = { read: false, archived: false, snoozed: false };

/** A person with two tabs that listen. */
async function person(subscriberId, at = server) {
  const body = { applicationIdentifier: at.dev.applicationIdentifier, subscriber: subscriberId };
  const { token } = (await at.call("POST", "/v1/inbox/session", body, { key: null })).body.data;
  const call = async (method, path, data) => at.call(method, `/v1/inbox/notifications${path}`, data, { key: null, headers: { Authorization: `Bearer ${token}` } });
  const tabs = [];
  for (let i = 0; i < 2; i++) {
    const client = inbox(at, subscriberId), tab = { received: [], total: 0, unseen: 0 };
    open.push(client);
    tabs.push(tab);
    const connected = new Promise((resolve) => client.on("socket.connect.resolved", resolve));
    client.on("notifications.notification_received", ({ result }) => tab.received.push(result.transactionId));
    client.on("notifications.unread_count_changed", ({ result }) => (tab.total = result.total));
    client.on("notifications.unseen_count_changed", ({ result }) => (tab.unseen = result));
    await connected;
  }
  const count = async (filters) =>
    (await call("GET", `/count?filters=${encodeURIComponent(JSON.stringify(filters))}`)).body.data.map((c) => c.count);
  const all = async (query = "", limit = 100) => {
    const found = [];
    for (let more = true; more; ) {
      const { body: page } = await call("GET", `?limit=${limit}${query}${found.length ? `&after=${found.at(-1).id}` : ""}`);
      found.push(...page.data);
      more = page.hasMore;
    }
    return found;
  };
  const send = async (n, name) => {
    for (let done = 0; done < n; done += 100) {
      const events = Array.from({ length: Math.min(100, n - done) }, (_, i) => ({ name: "bell", to: subscriberId, transactionId: `${name}-${done + i}` }));
      assert.equal((await at.call("POST", "/v1/events/trigger/bulk", { events })).status, 201);
    }
  };
  /** Both tabs heard last what a recount says. */
  const settled = async (what) => {
    const same = async () => {
      const [total, unseen] = await count([openOnly, { ...openOnly, seen: false }]);
      return tabs.every((tab) => tab.total === total && tab.unseen === unseen);
    };
    await until(same, `the counts after ${what}: ${JSON.stringify(tabs)}`, 5000);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.ok(await same(), `${what}: an older count came last`);
  };
  return { call, tabs, count, all, send, settled };
}

test("all are marked while others arrive", async () => {
  const ada = await person("marker");
  for (let round = 0; round < 6; round++) {
    await ada.send(5, `early-${round}`);
    await until(async () => (await ada.all()).filter((n) => n.transactionId.startsWith(`early-${round}-`)).length === 5, "the early ones");
    const early = new Set((await ada.all()).map((n) => n.id));
    const verb = ["read", "seen", "archive"][round % 3];
    const [answer] = await Promise.all([ada.call("POST", `/${verb}`, {}), ada.send(20, `late-${round}`), ada.call("POST", `/${verb}`, {})]);
    assert.equal(answer.status, 204);
    await until(async () => (await ada.all()).filter((n) => n.transactionId.startsWith(`late-${round}-`)).length === 20, "the late ones");
    const now = await ada.all();
    const is = { read: (n) => n.isRead && n.isSeen, seen: (n) => n.isSeen, archive: (n) => n.isArchived && n.isRead }[verb];
    for (const n of now) if (early.has(n.id)) assert.ok(is(n), `${verb}: ${n.transactionId} was there before`);
    for (const n of now) assert.ok(is(n) || (!n.isRead && !n.isArchived), "no half of a mark");
    await ada.settled(verb);
    await ada.send(1, `after-${round}`);
    await until(async () => (await ada.all()).some((n) => n.transactionId === `after-${round}-0` && !n.isRead && !n.isSeen), "an unread one that came after");
    await ada.call("POST", "/delete", {});
    await ada.settled("delete");
  }
});

test("a full Inbox is marked in parts; what arrives between them is left alone", async () => {
  const ada = await person("full");
  await ada.send(4500, "old");
  await until(async () => (await ada.all("&read=false")).length === 4500, "4500 messages", 60_000);
  const marked = ada.call("POST", "/read", {});
  const arrivals = ada.send(100, "new");
  const meanwhile = await ada.count([openOnly]);          // readers are not held up
  assert.equal((await marked).status, 204);
  await arrivals;
  assert.ok(meanwhile[0] <= 100);
  await until(async () => (await ada.all()).length === 4600, "the new ones");
  const unread = await ada.all("&read=false");
  assert.ok(unread.every((n) => n.transactionId.startsWith("new-")), "every old one is read");
  assert.equal((await ada.count([openOnly]))[0], unread.length);
  await ada.settled("a sweep");
});

test("two tabs on one message", async () => {
  const ada = await person("both");
  await ada.send(1, "one");
  const [{ id }] = await until(async () => { const list = await ada.all(); return list.length && list; }, "the message");
  const verbs = ["read", "unread", "archive", "unarchive"];
  for (let i = 0; i < 40; i++) {
    const [a, b] = [verbs[i % 4], verbs[(i * 7 + 1 + (i >> 2)) % 4]];
    const answers = await Promise.all([ada.call("PATCH", `/${id}/${a}`), ada.call("PATCH", `/${id}/${b}`)]);
    const states = answers.map(({ status, body }) => (assert.equal(status, 200), `${body.data.isRead} ${body.data.isArchived}`));
    const [now] = await ada.all();
    assert.ok(states.includes(`${now.isRead} ${now.isArchived}`), `${a} and ${b}: the last of both is what is stored`);
  }
  await ada.settled("marks");
  const deletions = await Promise.all([0, 1, 2].map(() => ada.call("DELETE", `/${id}/delete`)));
  assert.deepEqual(deletions.map((d) => d.status).toSorted(), [204, 404, 404]);
  await ada.settled("deletion");
});

const move = async (advance) => assert.equal((await clocked.call("POST", "/v1/testing/clock", { advance })).status, 200);
const soon = async (ms) => new Date(Date.parse((await clocked.call("GET", "/v1/testing/clock")).body.data.now) + ms).toISOString();

test("a snooze ends while its message is archived", async () => {
  const ada = await person("archivist", clocked);
  await ada.send(1, "kept");
  const [{ id }] = await until(async () => { const list = await ada.all(); return list.length && list; }, "the message");
  await ada.call("PATCH", `/${id}/snooze`, { snoozeUntil: await soon(HOUR) });
  const archived = await ada.call("PATCH", `/${id}/archive`);
  assert.deepEqual([archived.body.data.isArchived, archived.body.data.isSnoozed], [true, true]);
  await ada.settled("archive");
  await move("PT2H");
  const [now] = await ada.all();
  assert.deepEqual([now.isArchived, now.isRead, now.isSnoozed, now.deliveredAt.length], [true, true, false, 1]);
  assert.equal(now.archivedAt, archived.body.data.archivedAt);
  assert.equal(now.createdAt, archived.body.data.createdAt);
  await ada.settled("the end of the snooze");
  for (const tab of ada.tabs) assert.deepEqual(tab.received, ["kept-0"], "it was not announced again");
});

test("a snooze ends at the moment of a write", async () => {
  const ada = await person("racer", clocked);
  await ada.send(1, "race");
  const [{ id }] = await until(async () => { const list = await ada.all(); return list.length && list; }, "the message");
  let announced = 1, delivered = 1;
  for (let i = 0; i < 24; i++) {
    const verb = ["archive", "unsnooze", "read", "snooze"][i % 4];
    await ada.call("PATCH", `/${id}/unarchive`);
    await ada.call("PATCH", `/${id}/snooze`, { snoozeUntil: await soon(HOUR) });
    const again = await soon(3 * HOUR);
    const [answer] = i & 1 ? await Promise.all([ada.call("PATCH", `/${id}/${verb}`, verb === "snooze" ? { snoozeUntil: again } : undefined), move("PT1H")])
                           : (await Promise.all([move("PT1H"), ada.call("PATCH", `/${id}/${verb}`, verb === "snooze" ? { snoozeUntil: again } : undefined)])).toReversed();
    const [now] = await ada.all(), woke = now.deliveredAt.length > delivered, what = `${verb}, ${woke ? "after" : "before"} the end: ${answer.text}`;
    delivered = now.deliveredAt.length;
    announced += woke ? 1 : 0;
    if (verb === "archive") assert.deepEqual([now.isArchived, now.isRead, now.isSnoozed], [true, true, false], what);
    if (verb === "unsnooze") assert.deepEqual([answer.status, now.isSnoozed, now.isRead], woke ? [404, false, false] : [200, false, true], what);
    if (verb === "read") assert.deepEqual([now.isSnoozed, woke], [false, true], what);
    if (verb === "snooze") {
      assert.deepEqual([answer.status, now.isSnoozed], [200, true], what);
      await ada.call("PATCH", `/${id}/unsnooze`);
    }
    await ada.settled(what);
    for (const tab of ada.tabs) assert.equal(tab.received.length, announced, what);
  }
  await ada.call("PATCH", `/${id}/snooze`, { snoozeUntil: await soon(HOUR) });
  const [gone] = await Promise.all([ada.call("DELETE", `/${id}/delete`), move("PT1H")]);
  assert.equal(gone.status, 204);
  assert.deepEqual(await ada.all(), []);
  await ada.settled("deletion");
});

test("messages are deleted and come back while somebody scrolls", async () => {
  const ada = await person("reader", clocked);
  await ada.send(60, "page");
  await until(async () => (await ada.all()).length === 60, "the messages");
  const all = await ada.all(), kept = new Set(all.map((n) => n.id)), read = [];
  const snoozed = all.filter((_, i) => i % 10 === 9);
  for (const n of snoozed) await ada.call("PATCH", `/${n.id}/snooze`, { snoozeUntil: await soon(HOUR) });
  let deleted = 0;
  for (let more = true, after = ""; more; ) {
    const { body: page } = await ada.call("GET", `?limit=7${after}`);
    read.push(...page.data.map((n) => n.id));
    more = page.hasMore;
    if (!page.data.length) break;         // the rest went meanwhile
    after = `&after=${page.data.at(-1).id}`;
    // One that was read and one that is to come go, but not the last one of this page.
    for (const n of [page.data[0], all.find((m) => kept.has(m.id) && !read.includes(m.id) && !snoozed.includes(m))])
      if (n && n.id !== page.data.at(-1).id && kept.delete(n.id)) {
        assert.equal((await ada.call("DELETE", `/${n.id}/delete`)).status, 204);
        deleted++;
      }
    if (read.length === 21) await move("PT1H");
  }
  assert.ok(deleted > 6);
  assert.equal(new Set(read).size, read.length, "nothing twice");
  const top = (await ada.all()).slice(0, snoozed.length).map((n) => n.id);
  assert.deepEqual(top.toSorted(), snoozed.map((n) => n.id).toSorted(), "those that came back are on top");
  for (const id of kept) assert.ok(read.includes(id) || top.includes(id), "nothing is missing");
  // The end of a page itself is gone: that is said, and one begins anew.
  const { body: page } = await ada.call("GET", "?limit=5"), last = page.data.at(-1).id;
  await ada.call("DELETE", `/${last}/delete`);
  const answer = await ada.call("GET", `?limit=5&after=${last}`);
  assert.deepEqual([answer.status, answer.body.message], [400, "Invalid after id"]);
  await ada.settled("scrolling");
});
