// Every route of /openapi.json is called with random, mostly wrong requests, made from the document's own schemas and examples and
// from what earlier answers named: nothing may end in a 5xx, hang, or answer other than the document says (answers.mjs looks).
//
// API_SEED=<n>: another beginning than 1; API_CALLS=<n>: calls of each route, 8 unless given.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Carillon } from "./carillon.mjs";
import { random } from "./random.mjs";

const seed = Number(process.env.API_SEED ?? 1);
const calls = Number(process.env.API_CALLS ?? 8);

// Left out: the key that all calls need; what waits by design; what would call hosts that a test must not call; another protocol.
const leftOut = /regenerate|outbox\/wait|\/bridge\/|oauth|auto-configure|autoconfigure|\/verify|socket\.io/;

// Nobody listens there; providers and all URLs that calls name are there.
const nowhere = "http://127.0.0.1:1";

let server, document, token;
before(async () => {
  server = await Carillon.start({ env: { CARILLON_DELIVERY_SINK: nowhere } });
  document = await (await fetch(`${server.url}/openapi.json`)).json();
});
after(async () => {
  const { code } = await server.stop();
  assert.equal(code, 0, server.log.slice(-3000));        // a sanitizer has something to say
});

/** Somebody with a message, and what it takes; also again, when all of it has been deleted. */
async function world() {
  const steps = [{ name: "Bell", type: "in_app", controlValues: { body: "b" } }, { name: "Mail", type: "email", controlValues: { subject: "s", body: "b" } }];
  await server.call("POST", "/v2/workflows", { name: "Bell", workflowId: "bell", active: true, steps });
  await server.call("POST", "/v2/topics", { key: "order", name: "Order" });
  await server.call("POST", "/v1/events/trigger", { name: "bell", to: { subscriberId: "ada", email: "a@example.com" }, payload: {} });
  const bell = (await server.call("GET", "/v1/integrations")).body.data.find((i) => i.channel === "in_app");
  if (bell) await server.call("PUT", `/v1/integrations/${bell._id}`, { active: true, conditions: [], check: false });
  else await server.call("POST", "/v1/integrations", { providerId: "novu", channel: "in_app", active: true });
  const subscriberHash = createHmac("sha256", server.dev.secretKey).update("ada").digest("hex");        // a call may have made it needed
  const session = { applicationIdentifier: server.dev.applicationIdentifier, subscriber: "ada", subscriberHash };
  const opened = await server.call("POST", "/v1/inbox/session", session, { key: null });
  assert.equal(opened.status, 201, JSON.stringify(opened.body));
  token = opened.body.data.token;
}

const nested = (depth) => (depth ? [nested(depth - 1)] : []);
const odd = [
  null, true, false, 0, -1, 1, 1.5, 9007199254740993, -1e308, "", " ", "0", "null", "\u0000", "a\u0000b", "\ud800", "ü🚀", "x".repeat(300), "x".repeat(70_000),
  "{{payload.name}}", "{{", "{% for i in (1..1000000) %}x{% endfor %}", "' OR 1=1 --", "../../etc/passwd", "<script>alert(1)</script>", "2026-02-30T25:61:00Z",
  "2026-11-21T00:00:00.000Z", "PT5M", "ffffffffffffffffffffffff", "%00", "http://127.0.0.1:1/", "javascript:alert(1)", "Europe/Berlin", "de_DE", [], {}, [[]], [null],
  { __proto__: null, constructor: 1 }, { $ref: "#" }, { "": "" }, { var: "payload" }, { and: [{ "==": [1, { var: "a" }] }] }, nested(100),
  Array.from({ length: 1001 }, (_, i) => `s${i}`),
];

const follow = (schema) => (schema?.$ref ? follow(schema.$ref.split("/").slice(1).reduce((at, name) => at[name], document)) : schema ?? {});

/** A value that is more or less as the schema says. */
function made(schema, r, pool, name = "", depth = 0) {
  schema = follow(schema);
  if (depth > 6) return null;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return r.pick(schema.enum);
  const branches = schema.oneOf ?? schema.anyOf;
  if (branches) return made(r.pick(branches), r, pool, name, depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => made(part, r, pool, name, depth + 1)));
  const type = Array.isArray(schema.type) ? r.pick(schema.type) : schema.type ?? (schema.properties ? "object" : r.pick(["string", "object"]));
  if (type === "object") {
    const names = Object.keys(schema.properties ?? {});
    const kept = names.filter((key) => schema.required?.includes(key) || r.chance(0.5));
    return Object.fromEntries(kept.map((key) => [key, made(schema.properties[key], r, pool, key, depth + 1)]));
  }
  if (type === "array") return Array.from({ length: r.below(4) }, () => made(schema.items, r, pool, name, depth + 1));
  if (type === "integer" || type === "number") return r.pick([0, 1, 5, 10, 100, schema.minimum ?? 1, schema.maximum ?? 50]);
  if (type === "boolean") return r.chance(0.5);
  if (type === "null") return null;
  return named(name, r, pool);
}

/** Something that an answer called so, or by a similar name. */
function named(name, r, pool) {
  const end = name.toLowerCase().replace(/^_/, "");
  const keys = Object.keys(pool).filter((key) => end && (end.endsWith(key) || key.endsWith(end)));
  return r.chance(0.8) && keys.length ? r.pick(pool[r.pick(keys)].slice(-6)) : r.pick(["a", "ada", "bell", "order", `n${r.below(1000)}`, "a@example.com"]);
}

/** Something within value, or all of it, is put wrong. */
function spoilt(value, r) {
  if (r.chance(0.3) || value === null || typeof value !== "object") return r.pick(odd);
  if (Array.isArray(value)) {
    if (!value.length || r.chance(0.2)) return [...value, r.pick(odd)];
    const i = r.below(value.length);
    return value.map((x, k) => (k === i ? spoilt(x, r) : x));
  }
  const keys = Object.keys(value);
  if (!keys.length || r.chance(0.1)) return { ...value, [r.pick(["x", "", "__proto__", "a.b", "$where"])]: r.pick(odd) };
  const key = r.pick(keys);
  if (r.chance(0.2)) return Object.fromEntries(Object.entries(value).filter(([k]) => k !== key));
  return { ...value, [key]: spoilt(value[key], r) };
}

/** "/v1/agents/{identifier}/routes" and its first parameter: agent. */
const resource = (path) => path.replace(/(\/\{\w+\})*$/, "").split("/").pop().replace(/(ie)?s$/, (end) => (end === "ies" ? "y" : "")).toLowerCase();

/** What an answer named is used by later calls: by its name, and by the resource whose answer it was. */
function remember(value, pool, of, name = "", depth = 0) {
  if (Array.isArray(value)) for (const x of value.slice(0, 5)) remember(x, pool, of, name, depth);
  else if (value && typeof value === "object") for (const [key, x] of Object.entries(value)) remember(x, pool, of, key, depth + 1);
  else if (typeof value === "string" && value.length < 100 && /id$|identifier$|key$|slug$|^name$|^type$|^locale$/i.test(name)) {
    for (const key of depth < 3 ? [name.toLowerCase().replace(/^_/, ""), `/${of}`] : [name.toLowerCase().replace(/^_/, "")]) {
      const list = (pool[key] ??= []);
      if (list.includes(value)) list.splice(list.indexOf(value), 1);
      list.push(value);
      if (list.length > 30) list.shift();
    }
  }
}

function request(path, operation, r, pool) {
  const text = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value)).slice(0, 2000).toWellFormed();
  const part = (name, before) => {
    const own = pool[`/${resource(before)}`];
    return encodeURIComponent(own && r.chance(0.6) ? r.pick(own.slice(-6)) : r.chance(0.8) ? named(name, r, pool) : text(r.pick(odd)));
  };
  const query = new URLSearchParams();
  for (const p of (operation.parameters ?? []).map(follow)) {
    if (p.in !== "query" || !(p.required || r.chance(0.4))) continue;
    const value = r.chance(0.7) ? made(p.schema, r, pool, p.name) : r.pick(odd);
    for (const one of Array.isArray(value) ? value.slice(0, 20) : [value]) query.append(p.name, text(one));
  }
  const content = operation.requestBody?.content?.["application/json"];
  let body;
  if (content) {
    body = content.example !== undefined && r.chance(0.5) ? content.example : made(content.schema, r, pool);
    for (let n = r.below(4); n > 1; n--) body = spoilt(body, r);
  }
  return { url: `${server.url}${path.replace(/\{(\w+)\}/g, (_, name, at) => part(name, path.slice(0, at - 1)))}${query.size ? `?${query}` : ""}`, body };
}

test(`random calls of every route, seed ${seed}`, async () => {
  const r = random(seed), pool = {};
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).filter(([, o]) => o.responses && !leftOut.test(path)).map(([method, o]) => [method.toUpperCase(), path, o]));
  const statuses = {};
  // What makes things comes before what removes them, in each round.
  const rank = { POST: 0, PUT: 1, PATCH: 2, GET: 3, DELETE: 4 };
  operations.sort((a, b) => (rank[a[0]] ?? 3) - (rank[b[0]] ?? 3));
  for (let round = 0; round < calls; round++) {
    await world();
    for (const [method, path, operation] of operations) {
      const { url, body } = request(path, operation, r, pool);
      const isSubscribers = operation.security?.some((s) => s.subscriberToken);
      const headers = { authorization: isSubscribers ? `Bearer ${token}` : `ApiKey ${server.dev.secretKey}` };
      if (body !== undefined) headers["content-type"] = "application/json";
      const text = method === "GET" || body === undefined ? undefined : JSON.stringify(body).replace(/https?:\/\/[^"/]+/g, nowhere);
      const what = `${method} ${url.slice(server.url.length)} ${text?.slice(0, 2000) ?? ""}`;
      const response = await fetch(url, { method, headers, body: text, signal: AbortSignal.timeout(30_000), redirect: "manual" }).catch((error) => {
        throw new Error(`${error.message}: ${what}`, { cause: error });
      });
      const answer = await response.text();
      assert.ok(response.status < 500, `${response.status}: ${what}: ${answer.slice(0, 500)}\n${server.log.slice(-2000)}`);
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      if (response.status >= 400 && response.headers.get("content-type")?.startsWith("application/json")) {
        const error = JSON.parse(answer);
        assert.equal(error.statusCode, response.status, what);
        assert.ok(error.message, what);
      } else if (answer.startsWith("{")) remember(JSON.parse(answer), pool, resource(path));
    }
  }
  assert.ok(statuses[200] > operations.length / 10 && statuses[201] > 10, JSON.stringify(statuses));
  if (process.env.API_CALLS) console.log(statuses);
  assert.equal((await server.call("GET", "/v1/health-check")).status, 200);
});
