// Two processes on one PostgreSQL: every webhook goes out once, and one takes over what the other leaves.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { until } from "./carillon.mjs";
import { startPair } from "./postgres.mjs";
import { api } from "./clients.mjs";

const base = "/v2/outbound-webhooks";
let pair, one, two, sink, got = [], status = 200;
before(async () => {
  sink = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    got.push({ id: request.headers["webhook-id"], body: JSON.parse(body) });
    response.statusCode = status;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(sink, "listening");
  pair = await startPair();
  ({ one, two } = pair);
  await api(one).workflows.create({
    name: "Bell", workflowId: "bell", active: true, steps: [{ name: "Bell", type: "in_app", controlValues: { body: "Hi" } }],
  });
  const reply = await one.call("POST", `${base}/endpoints`, { url: `http://127.0.0.1:${sink.address().port}`, eventTypes: ["message.sent"] });
  assert.equal(reply.status, 201, reply.text);
  // The other process may have looked at the environment just now: it looks again after a second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
});
after(async () => {
  await pair?.stop();
  sink?.closeAllConnections();
  sink?.close();
});

test("triggers at both processes: each message is told once", async () => {
  const n = 60;
  await Promise.all(Array.from({ length: n }, (_, i) => api([one, two][i % 2]).trigger({ workflowId: "bell", to: `p-${i % 7}`, transactionId: `t-${i}` })));
  await until(() => new Set(got.map((r) => r.body.data.object.transactionId)).size === n, "all of them");
  const { body } = await one.call("GET", `${base}/messages?limit=100&eventType=message.sent`);
  await until(async () => (await Promise.all(body.data.map((m) => two.call("GET", `${base}/messages/${m.id}`))))
    .every((r) => r.body.data.deliveries[0].status === "delivered"), "all marked as delivered");
  assert.equal(got.length, n, "none twice");
});

test("what one process leaves at its end, the other sends", async () => {
  status = 500;
  got = [];
  await api(two).trigger({ workflowId: "bell", to: "left", transactionId: "t-left" });
  await until(() => got.length === 1, "the first attempt");
  await two.stop();
  two = undefined;
  status = 200;
  await until(() => got.length === 2, "the second attempt", 20000);
  assert.equal(got[1].id, got[0].id);
});
