// Requests to the Inbox and its neighbours that no ordinary client makes: every spelling of a list in a query, pages of messages
// of one instant, writes of eight clients at once, names that look like paths.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api, inbox } from "./clients.mjs";

let server, novu;
const sockets = [];
const step = { in_app: { body: "b" }, email: { subject: "s", body: "b" }, sms: { body: "b" }, push: { subject: "s", body: "b" }, chat: { body: "b" } };
const steps = (...types) => types.map((type) => ({ type, name: type, controlValues: step[type] }));
before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
  for (const [workflowId, tags, types] of [["red", ["red", "round"], ["in_app"]], ["blue", ["blue", "round"], ["in_app"]], ["plain", [], ["in_app"]],
    ["all", [], ["in_app", "email", "sms", "push", "chat"]]])
    assert.equal((await server.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, tags, steps: steps(...types) })).status, 201);
});
after(async () => {
  for (const { socket } of sockets) await socket.disconnect();
  await server?.stop();
});

const encoded = encodeURIComponent;
let people = 0;
async function somebody(subscriberId = `p-${people++}`, context) {
  const session = await server.call("POST", "/v1/inbox/session",
    { applicationIdentifier: server.dev.applicationIdentifier, subscriber: { subscriberId }, ...(context && { context }) }, { key: null });
  assert.equal(session.status, 201, session.text);
  const ask = (method, path, body) => server.call(method, `/v1/inbox${path}`, body,
    { key: null, headers: { Authorization: `Bearer ${session.body.data.token}` } });
  const list = async (query = "") => {
    const answer = await ask("GET", `/notifications?${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };
  return { subscriberId, context, session: session.body.data, ask, list };
}

/** The messages of these workflows, all of one instant; their ids as the Inbox has them. */
async function receive(me, names, more = {}) {
  const had = new Set((await me.list("limit=100")).data.map((m) => m.id));
  const events = names.map((name) => ({ name, to: me.subscriberId, payload: {}, ...(me.context && { context: me.context }), ...more }));
  assert.equal((await server.call("POST", "/v1/events/trigger/bulk", { events })).status, 201);
  return until(async () => {
    const fresh = (await me.list("limit=100")).data.filter((m) => !had.has(m.id));
    return fresh.length === names.length && fresh;
  }, "the messages");
}

test("tags in a query: each spelling of a group, of groups, and as JSON", async () => {
  const me = await somebody();
  await receive(me, ["red", "blue", "plain"]);
  const both = ["blue", "red"], json = (v) => `tags=${encoded(JSON.stringify(v))}`;
  const cases = [
    ["tags=red", ["red"]], ["tags[]=red", ["red"]], ["tags[0]=red", ["red"]], [`${encoded("tags[]")}=red`, ["red"]],
    ["tags=red&tags=blue", both], ["tags[]=red&tags[]=blue", both], ["tags[1]=red&tags[0]=blue", both], ["tags[or][]=red&tags[or][]=blue", both],
    ["tags[0][]=round&tags[1][]=red", ["red"]], ["tags[and][0][or][]=round&tags[and][1][or][]=blue", ["blue"]],
    [json({ or: ["red", "blue"] }), both], [json({ or: ["red"] }), ["red"]], [json({ and: [{ or: ["round"] }, { or: ["red", "x"] }] }), ["red"]],
    ["tags=%7B", []], ["tags=%7Bx", []], [json(["red"]), []],
  ];
  for (const [query, expected] of cases) {
    const { data } = await me.list(query);
    assert.deepEqual(data.map((m) => m.workflow.identifier).sort(), expected, query);
    const v2 = await server.call("GET", `/v2/subscribers/${me.subscriberId}/notifications?${query}`);
    assert.deepEqual(v2.body.data.map((m) => m.workflow.identifier).sort(), expected, query);
  }
  for (const wrong of [{ or: ["red"], and: [] }, {}, { or: "red" }, { and: [{ or: [] }] }, { and: ["red"] }, { or: [["red"]] }, { or: [1] }])
    assert.equal((await me.ask("GET", `/notifications?${json(wrong)}`)).status, 422, JSON.stringify(wrong));
});

/** All pages of a cursor list, from the first to the last and back again by `previous`. */
async function bothWays(path, limit) {
  const get = async (more) => {
    const answer = await server.call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${more}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };
  const forward = [], back = [];
  let page = await get("");
  assert.equal(page.previous, null, path);
  for (forward.push(page.data); page.next; forward.push(page.data)) page = await get(`&after=${encoded(page.next)}`);
  for (; page.previous; back.unshift(page.data)) page = await get(`&before=${encoded(page.previous)}`);
  assert.deepEqual(back.flat(), forward.slice(0, -1).flat(), `${path} by ${limit}, backwards`);
  return forward.flat();
}

test("pages of messages of one instant: every limit, every filter, both doors", async () => {
  const me = await somebody(), names = Array.from({ length: 13 }, (_, i) => ["red", "blue", "plain"][i % 3]);
  const all = (await receive(me, names)).map((m) => m.id);
  for (const id of [all[2], all[5], all[11]]) assert.equal((await me.ask("PATCH", `/notifications/${id}/read`)).status, 200);
  for (const id of [all[5], all[7]]) assert.equal((await me.ask("PATCH", `/notifications/${id}/archive`)).status, 200);
  const now = (await me.list()).data[0].createdAt;
  for (const filter of ["", "read=true", "read=false", "archived=true", "archived=false", "seen=false", "tags=round", "tags[0][]=round&tags[1][]=red", "severity=none", "snoozed=false",
    `createdGte=${Date.parse(now) - 1}`, `createdLte=${Date.parse(now) + 1}`]) {
    const whole = (await me.list(`${filter}&limit=100`)).data.map((m) => m.id);
    for (const limit of [1, 2, 3, 12, 13])
      for (const door of ["browser", "server"]) {
        const found = [];
        for (let more = true, after = ""; more; after = `&after=${found.at(-1)}`) {
          const query = `${filter}&limit=${limit}${after}`;
          const page = door === "browser" ? await me.list(query) : (await server.call("GET", `/v2/subscribers/${me.subscriberId}/notifications?${query}`)).body;
          found.push(...page.data.map((m) => m.id));
          more = page.hasMore;
          assert.ok(!more || page.data.length === limit, query);
        }
        assert.deepEqual(found, whole, `${filter} by ${limit}`);
      }
    for (let offset = 0; offset < whole.length; offset += 4)
      assert.deepEqual((await me.list(`${filter}&limit=4&offset=${offset}`)).data.map((m) => m.id), whole.slice(offset, offset + 4), `${filter} from ${offset}`);
  }
  assert.equal((await me.ask("DELETE", `/notifications/${all[4]}/delete`)).status, 204);
  assert.deepEqual((await me.list("limit=100")).data.map((m) => m.id), all.filter((_, i) => i !== 4));
});

test("cursor lists of rows of one instant go both ways by every limit", async () => {
  const ids = Array.from({ length: 7 }, (_, i) => `row-${"cabgfed"[i]}`);
  assert.equal((await server.call("POST", "/v1/subscribers/bulk", { subscribers: ids.map((subscriberId) => ({ subscriberId })) })).status, 201);
  for (const id of ids) {
    assert.equal((await server.call("POST", "/v2/topics", { key: `t-${id}`, name: "same" })).status, 201);
    assert.equal((await server.call("POST", "/v2/topics/rows/subscriptions", { subscriptions: [id] })).status, 201);
    assert.equal((await server.call("POST", `/v2/topics/t-${id}/subscriptions`, { subscriptions: ["row-a"] })).status, 201);
    assert.equal((await server.call("POST", "/v2/contexts", { type: "tenant", id })).status, 201);
  }
  for (const [path, key] of [["/v2/subscribers?subscriberId=row-", "subscriberId"], ["/v2/topics?name=same", "key"], ["/v2/topics/rows/subscriptions", "identifier"],
    ["/v2/subscribers/row-a/subscriptions", "identifier"], ["/v2/contexts?search=row", "id"]])
    for (const order of ["", "orderDirection=ASC", "orderDirection=DESC"]) {
      const query = order ? `${path}${path.includes("?") ? "&" : "?"}${order}` : path;
      const whole = (await bothWays(query, 100)).map((r) => r[key]);
      for (const limit of [1, 2, 3, 6]) assert.deepEqual((await bothWays(query, limit)).map((r) => r[key]), whole, `${query} by ${limit}`);
    }
});

test("pages by number: every limit and filter gives the whole list, and its length", async () => {
  const subscribers = Array.from({ length: 4 }, (_, i) => ({ subscriberId: `n-${i}`, email: `n${i}@pages.example` }));
  assert.equal((await server.call("POST", "/v1/subscribers/bulk", { subscribers })).status, 201);
  assert.equal((await server.call("POST", "/v2/topics/numbered/subscriptions", { subscriptions: ["n-0", "n-1"] })).status, 201);
  const events = Array.from({ length: 16 }, (_, i) => ({ name: ["red", "blue"][i & 1], to: i % 4 ? `n-${i & 3}` : { type: "Topic", topicKey: "numbered" }, transactionId: `n-${i}`,
    ...(i % 4 && { context: { page: i % 3 ? "x" : "y" } }) }));
  assert.equal((await server.call("POST", "/v1/events/trigger/bulk", { events })).status, 201);
  const get = async (path, limit, page) => {
    const answer = await server.call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=${limit}&page=${page}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };
  const contexts = "contextKeys=page:x";
  await until(async () => (await Promise.all(subscribers.map((s) => get(`/v1/messages?subscriberId=${s.subscriberId}`, 50, 0)))).flatMap((page) => page.data).length === 20, "the messages");
  const red = (await server.call("GET", "/v2/workflows/red")).body.data._id, ids = (page) => page.data.map((row) => row._id);
  for (const path of [`/v1/messages?${contexts}`, "/v1/messages?subscriberId=n-1", "/v1/messages?channel=in_app&transactionId=n-0&transactionId=n-4", "/v1/notifications?topicKey=numbered",
    "/v1/notifications?emails=n1@pages.example", "/v1/notifications?search=pages.example", `/v1/notifications?${contexts}`, `/v1/notifications?templates=${red}&${contexts}`,
    "/v1/notifications?subscriberIds=n-1&subscriberIds=n-2", "/v1/notifications?transactionId=n-0&transactionId=n-5", "/v1/subscribers/n-1/notifications/feed"]) {
    const whole = await get(path, 50, 0);
    assert.ok(whole.data.length > 1, path);
    for (const limit of [1, 2, 3, 7]) {
      const found = [];
      for (let page = 0, more = true; more; page++) {
        const part = await get(path, limit, page);
        assert.equal(part.totalCount, whole.totalCount, `${path} by ${limit}`);
        assert.equal(part.page, page);
        found.push(...ids(part));
        more = part.hasMore;
      }
      assert.deepEqual(found, ids(whole), `${path} by ${limit}`);
    }
    const beyond = await get(path, 10, 90);
    assert.deepEqual([beyond.data, beyond.hasMore], [[], false]);
  }
});

test("the row that a cursor names is gone", async () => {
  const me = await somebody(), all = (await receive(me, ["red", "red", "red", "red"])).map((m) => m.id);
  assert.equal((await me.ask("DELETE", `/notifications/${all[1]}/delete`)).status, 204);
  assert.equal((await me.ask("GET", `/notifications?after=${all[1]}`)).status, 400);
  assert.deepEqual((await me.list(`after=${all[0]}`)).data.map((m) => m.id), all.slice(2));
  for (const path of ["/v2/subscribers", "/v2/topics", "/v2/contexts"])
    for (const cursor of ["after", "before"]) {
      const answer = await server.call("GET", `${path}?${cursor}=666c0dfa0b55d0f06f4aaa6c`);
      assert.ok(answer.status === 200 || answer.status === 400, answer.text);
      if (answer.status === 200) assert.deepEqual([answer.body.data, answer.body.next, answer.body.previous], [[], null, null], path);
    }
});

test("lists in other queries: a=1, a[]=1, a[0]=1, and twice", async () => {
  const me = await somebody();
  await receive(me, ["red", "blue"], {});
  const spellings = (name, value) => [`${name}=${value}`, `${name}[]=${value}`, `${name}[0]=${value}`, `${encoded(`${name}[]`)}=${value}`,
    `${name}=${value}&${name}=none-such`, `${name}[]=${value}&${name}[]=none-such`];
  const red = (await server.call("GET", "/v2/workflows/red")).body.data._id;
  const run = (await server.call("GET", `/v1/notifications?subscriberIds=${me.subscriberId}&templates=${red}`)).body.data;
  assert.equal(run.length, 1);
  for (const [name, value] of [["templates", red], ["transactionId", run[0].transactionId], ["subscriberIds", me.subscriberId]])
    for (const query of spellings(name, name === "templates" ? value : encoded(value))) {
      const filter = name === "templates" ? query.replace("none-such", "666c0dfa0b55d0f06f4aaa6c") : query;
      const narrow = name === "subscriberIds" ? "" : `&subscriberIds=${me.subscriberId}`;
      const { status, body, text } = await server.call("GET", `/v1/notifications?${filter}${narrow}`);
      assert.equal(status, 200, text);
      assert.deepEqual(body.data.map((r) => r._id).includes(run[0]._id), true, filter);
      assert.equal(body.data.length, name === "subscriberIds" ? 2 : 1, filter);
    }
  for (const channel of ["in_app", "email"])
    for (const query of spellings("channels", channel).slice(0, 4)) {
      const { body } = await server.call("GET", `/v1/notifications?${query}&subscriberIds=${me.subscriberId}`);
      assert.equal(body.data.length, channel === "in_app" ? 2 : 0, query);
    }
});

test("eight clients change eight things of one preference at once: none is lost", async () => {
  const me = await somebody(), path = `/v2/subscribers/${me.subscriberId}/preferences`;
  const types = ["email", "sms", "push", "chat", "in_app"];
  const workflow = async () => (await server.call("GET", path)).body.data.workflows.find((w) => w.workflow.slug.startsWith("all_") || w.workflow.identifier === "all");
  for (let round = 0; round < 6; round++) {
    const on = round % 2 === 1;
    const answers = await Promise.all([
      ...types.map((type, i) => i % 2 ? server.call("PATCH", path, { workflowId: "all", channels: { [type]: on } }) : me.ask("PATCH", "/preferences/all", { [type]: on })),
      ...types.map((type, i) => i % 2 ? server.call("PATCH", path, { channels: { [type]: on } }) : me.ask("PATCH", "/preferences", { [type]: on })),
      me.ask("PATCH", "/preferences", { schedule: { isEnabled: on, weeklySchedule: { monday: { isEnabled: on, hours: [{ start: "09:00 AM", end: "05:00 PM" }] } } } }),
    ]);
    for (const { status, text } of answers) assert.equal(status, 200, text);
    const want = Object.fromEntries(types.map((t) => [t, on]));
    const { body: { data: { global } } } = await server.call("GET", path);
    assert.deepEqual(global.channels, want);
    assert.equal(global.schedule.isEnabled, on);
    assert.deepEqual((await workflow()).channels, want);
  }
});

test("eight clients make the same thing at once: there is one", async () => {
  const eight = (fn) => Promise.all(Array.from({ length: 8 }, (_, i) => fn(i)));
  for (let round = 0; round < 3; round++) {
    const subscriberId = `once-${round}`, topic = `once-${round}`;
    const made = await eight(() => server.call("POST", "/v2/subscribers?failIfExists=true", { subscriberId }));
    assert.deepEqual(made.map((m) => m.status).sort(), [201, ...Array(7).fill(409)]);
    await eight(() => server.call("POST", "/v2/topics", { key: topic }));
    assert.equal((await server.call("GET", `/v2/topics?key=${topic}`)).body.data.length, 1);
    const me = await somebody(subscriberId);
    const subscribed = await eight((i) => i % 2 ? me.ask("POST", `/topics/${topic}/subscriptions`, {}) : server.call("POST", `/v2/topics/${topic}/subscriptions`, { subscriptions: [subscriberId] }));
    for (const { status, text } of subscribed) assert.ok(status === 201 || status === 200, text);
    assert.equal((await server.call("GET", `/v2/topics/${topic}/subscriptions`)).body.data.length, 1);
    const named = await eight(() => me.ask("POST", `/topics/${topic}/subscriptions`, { identifier: "mine", preferences: ["all"] }));
    for (const { status, text } of named) assert.ok(status < 300, text);
    const all = (await me.ask("GET", `/topics/${topic}/subscriptions`)).body.data;
    assert.equal(new Set(all.map((s) => s.identifier)).size, all.length);
    assert.equal(all.length, 2);
    const toggled = await eight((i) => me.ask("PATCH", `/topics/${topic}/subscriptions/mine`, { preferences: [{ workflowId: "all", enabled: i % 2 === 0 }] }));
    for (const { status, text } of toggled) assert.equal(status, 200, text);
    const gone = await eight(() => me.ask("DELETE", `/topics/${topic}/subscriptions/mine`));
    assert.equal(gone.filter((g) => g.status === 200).length >= 1 && gone.every((g) => [200, 404].includes(g.status)), true);
    assert.equal((await me.ask("GET", `/topics/${topic}/subscriptions`)).body.data.length, 1);
  }
});

test("every spelling of a subscriber's name is that subscriber, at every door", async () => {
  const names = ["a/b", "a%2Fb", "a//b", "/", "../x", "%", "?", "a?b=c", "#", "a&b=c", "a+b", "a b", "auth0|x", "\"q\"", "\\", "😀", "👩‍👩‍👧‍👦", "مرحبا", "é", "e\u0301", "a:b", "a,b",
    "<script>", "null", "0", "search", "bulk", "global", "x".repeat(255), "😀".repeat(64), "\u202eabc", "ß"];
  for (const [i, id] of names.entries()) {
    const at = encoded(id);
    const ok = async (method, path, body, expected = [200, 201]) => {
      const answer = await server.call(method, path, body);
      assert.ok(expected.includes(answer.status), `${method} ${path}: ${answer.text}`);
      return answer.body?.data;
    };
    assert.equal((await ok("POST", "/v2/subscribers", { subscriberId: id, firstName: `F${i}` })).subscriberId, id);
    assert.equal((await ok("GET", `/v2/subscribers/${at}`)).firstName, `F${i}`);
    assert.equal((await ok("GET", `/v1/subscribers/${at}`)).firstName, `F${i}`);
    assert.equal((await novu.subscribers.retrieve(id)).result.subscriberId, id);
    await ok("PATCH", `/v2/subscribers/${at}`, { lastName: "L" });
    assert.deepEqual((await ok("GET", `/v2/subscribers?subscriberId=${at}`)).map((s) => s.subscriberId), [id]);
    const [{ identifier }] = await ok("POST", "/v2/topics/names/subscriptions", { subscriptions: [id] });
    assert.equal((await ok("GET", `/v2/topics/names/subscriptions/${encoded(identifier)}`)).identifier, identifier);
    assert.equal((await ok("GET", `/v2/topics/names/subscriptions?subscriberId=${at}`)).length, 1);
    assert.equal((await ok("GET", `/v1/topics/names/subscribers/${at}`)).externalSubscriberId, id);
    const me = await somebody(id), [message] = await receive(me, ["plain"]);
    assert.equal(message.to.subscriberId, id);
    assert.deepEqual((await ok("GET", `/v2/subscribers/${at}/notifications`)).map((m) => m.id), [message.id]);
    await ok("PATCH", `/v2/subscribers/${at}/notifications/${message.id}/read`);
    assert.equal((await ok("GET", `/v1/messages?subscriberId=${at}`)).length, 1);
    assert.equal((await ok("GET", `/v1/notifications?subscriberIds=${at}`)).length, 1);
    assert.equal((await ok("GET", `/v1/subscribers/${at}/notifications/feed`)).length, 1);
    await ok("DELETE", `/v2/subscribers/${at}`);
    await ok("GET", `/v2/subscribers/${at}`, undefined, [404]);
  }
});
