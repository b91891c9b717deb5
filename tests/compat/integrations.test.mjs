// Integrations: when one is used (conditions, rules), and whether its provider takes the credentials (check).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
  await novu.workflows.create({ name: "Mail", workflowId: "mail", active: true, steps: [{ name: "m", type: "email", controlValues: { subject: "s", body: "b" } }] });
  for (const [subscriberId, firstName] of [["ada", "Ada"], ["bob", "Bob"]]) await novu.subscribers.create({ subscriberId, firstName, email: `${subscriberId}@example.com` });
});
after(() => server?.stop());

const relay = { host: "localhost", port: "1", from: "shop@example.com" };
const post = (body) => server.call("POST", "/v1/integrations", { providerId: "nodemailer", channel: "email", active: true, credentials: relay, ...body });
const put = (id, body) => server.call("PUT", `/v1/integrations/${id}`, body);
const stored = async (id) => (await server.call("GET", "/v1/integrations")).body.data.find((i) => i._id === id);
let n = 0;
async function chosen(to, more = {}) {
  const transactionId = `t${++n}`;
  await server.call("POST", "/v1/events/trigger", { name: "mail", to, transactionId, ...more });
  return until(async () => {
    const { body } = await server.call("GET", `/v1/notifications?transactionId=${transactionId}`);
    const detail = body.data[0]?.jobs.flatMap((j) => j.executionDetails).find((d) => d.raw?.includes('"identifier"') && /selected/.test(d.detail));
    return detail && JSON.parse(detail.raw).identifier;
  }, "the choice");
}

test("rules choose an integration for those whom they fit", async () => {
  const rules = { "==": [{ var: "subscriber.firstName" }, "Ada"] };
  const { status, body } = await post({ identifier: "for-ada", rules });
  assert.equal(status, 201);
  assert.deepEqual([body.data.rules, body.data.conditions, body.data.primary], [rules, [], false]);
  assert.equal(await chosen("ada"), "for-ada");
  const other = await chosen("bob");
  assert.notEqual(other, "for-ada");
  await put(body.data._id, { rules: { "==": [{ var: "subscriber.firstName" }, "Bob"] } });
  assert.equal(await chosen("ada"), other);
  await put(body.data._id, { conditions: [] });
  assert.ok((await stored(body.data._id)).rules, "an empty list of groups takes no rules away");
  await put(body.data._id, { rules: null });
  assert.equal((await stored(body.data._id)).rules, undefined);
  await server.call("DELETE", `/v1/integrations/${body.data._id}`);
});

test("conditions do so, too, and primary is who has none", async () => {
  const conditions = [{ children: [{ on: "tenant", field: "identifier", operator: "EQUAL", value: "acme" }] }];
  const { body } = await post({ identifier: "acme", conditions });
  assert.deepEqual(body.data.conditions, [{ isNegated: false, type: "GROUP", value: "AND", children: conditions[0].children }]);
  assert.equal(body.data.primary, false);
  await server.call("POST", "/v1/tenants", { identifier: "acme", name: "Acme" });
  assert.equal(await chosen("ada", { tenant: "acme" }), "acme");
  assert.notEqual(await chosen("ada"), "acme");
  const { result } = await novu.integrations.list();
  assert.deepEqual(result.find((i) => i.identifier === "acme").conditions[0].children, [], "the SDK has no tenant among its places, and reads the list all the same");
  const primary = await server.call("POST", `/v1/integrations/${body.data._id}/set-primary`);
  assert.deepEqual([primary.body.data.primary, primary.body.data.conditions], [true, []]);
  await server.call("DELETE", `/v1/integrations/${body.data._id}`);
});

test("a condition may ask a webhook, which sees who is to get it and through what", async () => {
  const asked = [];
  const hook = createHttp(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    asked.push({ headers: request.headers, body: JSON.parse(text) });
    response.end(JSON.stringify({ use: { it: asked.at(-1).body.subscriber.subscriberId === "ada" } }));
  }).listen(0, "127.0.0.1").unref();
  await once(hook, "listening");
  const part = { on: "webhook", webhookUrl: `http://127.0.0.1:${hook.address().port}/judge`, field: "use.it", operator: "EQUAL", value: "true" };
  const { status, body } = await post({ identifier: "asks", conditions: [{ children: [part] }] });
  assert.equal(status, 201, JSON.stringify(body));
  assert.deepEqual(body.data.conditions[0].children, [part]);
  assert.equal(await chosen("ada", { payload: { n: 1 } }), "asks");
  assert.notEqual(await chosen("bob"), "asks");
  const [{ headers, body: said }] = asked;
  assert.deepEqual([asked.length, said.subscriber.subscriberId, said.payload, said.identifier, said.channel, said.providerId], [2, "ada", { n: 1 }, "mail", "email", "nodemailer"]);
  assert.equal(headers["nv-hmac-256"], createHmac("sha256", server.dev.secretKey).update(body.data._environmentId).digest("hex"));
  await server.call("DELETE", `/v1/integrations/${body.data._id}`);
  hook.closeAllConnections();
  hook.close();
});

test("an integration of agents is none of a step's, whatever its rules", async () => {
  const { body } = await post({ identifier: "agents", kind: "agent", rules: { "==": [1, 1] } });
  assert.notEqual(await chosen("ada"), "agents");
  await server.call("DELETE", `/v1/integrations/${body.data._id}`);
});

test("conditions that could never be decided are refused", async () => {
  const { body } = await post({ identifier: "kept", rules: { "==": [1, 1] } });
  const part = { on: "payload", field: "x", operator: "EQUAL", value: "1" };
  for (const [wrong, message] of [
    [{ rules: { like: [1] } }, /unrecognized operation: like/], [{ rules: { and: [{ "==": [1, { nope: 1 }] }] } }, /unrecognized operation: nope/],
    [{ rules: { and: [], or: [] } }, /one operation/], [{ rules: [] }, /rules must be an object/], [{ conditions: {} }, /conditions must be an array/],
    [{ conditions: ["x"] }, /conditions\.0 must be an object/], [{ conditions: [{ children: "test" }] }, /conditions\.0\.children must be an array/],
    [{ conditions: [{ children: [part, part] }] }, /conditions\.0\.value must be one of/], [{ conditions: [{ children: [{ ...part, on: "previousStep" }] }] }, /children\.0\.on must be one of/],
    [{ conditions: [{ children: [{ ...part, on: "webhook" }] }] }, /children\.0\.webhookUrl should not be empty/],
    [{ conditions: [{ children: [{ ...part, on: "webhook", webhookUrl: "ftp://x.example/" }] }] }, /children\.0\.webhookUrl: URL scheme/],
    [{ conditions: [{ children: [{ ...part, operator: "LIKE" }] }] }, /children\.0\.operator must be one of/],
    [{ conditions: [{ children: [{ ...part, value: 1 }] }] }, /children\.0\.value must be a string/],
    [{ conditions: [{ children: [{ ...part, field: "" }] }] }, /children\.0\.field should not be empty/],
    [{ conditions: [{ type: "NONE" }] }, /conditions\.0\.type must be one of/],
    [{ conditions: [{ children: [part] }], rules: { "==": [1, 1] } }, /exclude each other/], [{ check: "yes" }, /check must be a boolean/],
  ]) {
    for (const { status, text } of [await post({ identifier: "refused", ...wrong }), await put(body.data._id, wrong)]) {
      assert.equal(status, 422, JSON.stringify(wrong));
      assert.match(text, message);
    }
  }
  assert.deepEqual((await stored(body.data._id)).rules, { "==": [1, 1] });
  await server.call("DELETE", `/v1/integrations/${body.data._id}`);
});

/** An SMTP server that knows one password. */
async function startRelay() {
  const lines = [];
  const listener = createServer((socket) => {
    socket.setEncoding("utf8").on("error", () => {}).write("220 relay\r\n");
    socket.on("data", (text) => {
      for (const line of text.split("\r\n").filter(Boolean)) {
        lines.push(line);
        if (line.startsWith("EHLO")) socket.write("250-relay\r\n250 AUTH PLAIN\r\n");
        else if (line.startsWith("AUTH PLAIN ")) socket.write(Buffer.from(line.slice(11), "base64").toString().endsWith("\0right") ? "235 in\r\n" : "535 no\r\n");
        else if (line.startsWith("QUIT")) socket.end("221 bye\r\n");
        else socket.write("250 ok\r\n");
      }
    });
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return { lines, port: listener.address().port, stop: () => listener.close() };
}

test("check asks the server to be let in, sends nothing, and stores nothing that it refuses", async () => {
  const smtp = await startRelay();
  const credentials = (password) => ({ host: "127.0.0.1", port: String(smtp.port), user: "me", password, from: "shop@example.com", ignoreTls: true });
  const count = async () => (await server.call("GET", "/v1/integrations")).body.data.length;
  const before = await count();
  const refused = await post({ check: true, credentials: credentials("wrong") });
  assert.equal(refused.status, 400);
  assert.deepEqual(JSON.parse(refused.body.message).success, false);
  assert.match(JSON.parse(refused.body.message).message, /refused the authentication: 535 no/);
  assert.ok(!refused.text.includes("wrong"));
  assert.equal(await count(), before);
  const { status, body } = await post({ check: true, credentials: credentials("right") });
  assert.equal(status, 201);
  // The stored ones are asked with what is given changed; a kept connection proves nothing.
  assert.equal((await put(body.data._id, { check: true })).status, 200);
  assert.equal((await put(body.data._id, { check: true, credentials: { password: "wrong" } })).status, 400);
  assert.equal((await put(body.data._id, { check: true, name: "Same" })).status, 200, "the refused password was not stored");
  assert.ok(smtp.lines.includes("NOOP"));
  assert.ok(!smtp.lines.some((line) => /^(MAIL|RCPT|DATA)/.test(line)), "nothing was sent");
  smtp.stop();
  await server.call("DELETE", `/v1/integrations/${body.data._id}`);
});

test("what cannot be reached is told; who cannot be asked passes", async () => {
  const gone = await post({ check: true, credentials: { ...relay, host: "nohost.invalid" } });
  assert.deepEqual([gone.status, gone.body.message], [400, "Provider gateway can't resolve the host with the given hostname nohost.invalid"]);
  assert.match((await post({ check: true })).body.message, /"success":false.*"code":"failed"/);
  assert.match((await post({ check: true, credentials: {} })).body.message, /"success":false/);
  for (const other of [{ providerId: "mailgun" }, { providerId: "twilio", channel: "sms" }]) {
    const { status, body } = await post({ check: true, active: false, ...other });
    assert.equal(status, 201);
    await server.call("DELETE", `/v1/integrations/${body.data._id}`);
  }
});

test("a check and its Idempotency-Key: asked once, answered twice", async () => {
  const smtp = await startRelay();
  const headers = { "Idempotency-Key": "once" };
  const body = { providerId: "nodemailer", channel: "email", check: true, identifier: "once", credentials: { host: "127.0.0.1", port: String(smtp.port), from: "a@b.example", ignoreTls: true } };
  const first = await server.call("POST", "/v1/integrations", body, { headers });
  const second = await server.call("POST", "/v1/integrations", body, { headers });
  assert.deepEqual([first.status, second.status, second.body], [201, 201, first.body]);
  assert.equal(smtp.lines.filter((line) => line === "NOOP").length, 1);
  smtp.stop();
});

test("set-primary makes an inactive integration active; priorities say who comes next", async () => {
  const { body: one } = await post({ identifier: "one" }), { body: two } = await post({ identifier: "two" }), { body: off } = await post({ identifier: "off", active: false });
  const order = async () => (await server.call("GET", "/v1/integrations")).body.data.filter((i) => i.channel === "email" && i.priority)
    .sort((a, b) => b.priority - a.priority).map((i) => i.identifier).filter((name) => ["one", "two", "off"].includes(name));
  assert.equal(off.data.priority, 0);
  const { status, body } = await server.call("POST", `/v1/integrations/${off.data._id}/set-primary`);
  assert.deepEqual([status, body.data.active, body.data.primary], [200, true, true]);
  assert.equal((await order())[0], "off");
  await put(off.data._id, { active: false });
  assert.equal((await stored(off.data._id)).priority, 0);
  assert.ok(!(await order()).includes("off"));
  const nobody = await server.call("POST", "/v1/integrations/65f0c2a1b3d4e5f6ffffffff/set-primary");
  assert.deepEqual([nobody.status, nobody.body.message], [404, "Integration with id 65f0c2a1b3d4e5f6ffffffff not found"]);
  const malformed = await server.call("POST", "/v1/integrations/fakeIntegrationId/set-primary");
  assert.deepEqual([malformed.status, malformed.body.errors.integrationId.messages], [422, ["integrationId must be a mongodb id"]]);
  const demo = await server.call("POST", "/v1/integrations", { providerId: "novu-email", channel: "email" });
  assert.deepEqual([demo.status, demo.body.message], [409, "Integration with novu provider for email channel already exists"]);
  for (const { data } of [one, two, off]) await server.call("DELETE", `/v1/integrations/${data._id}`);
});
