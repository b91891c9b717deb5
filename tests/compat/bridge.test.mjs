// Code-first workflows: the real @novu/framework served on loopback, synced, and asked for every step (bridge-cli.md).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Client, workflow } from "@novu/framework";
import { serve } from "@novu/framework/express";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

const anything = { type: "object", properties: {}, additionalProperties: true };
const asked = [];
let server, novu, bridge, bridgeUrl, workflows, fault;

/** The application: the framework's own handler behind what express.json() would be. */
const listen = async (handle) => {
  const http = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    await handle(request, response, text);
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  return http;
};

const close = (http) => {
  http?.closeAllConnections();
  http?.close();
};

/** The framework behind its URL, signed for with that environment's key. */
const application = (secretKey) => {
  let framework;
  return (request, response, text) => {
    const query = new URL(request.url, "http://x").searchParams;
    const seen = { query, headers: request.headers, body: text ? JSON.parse(text) : undefined };
    asked.push(seen);
    if (fault?.(seen, response)) return undefined;
    if (framework?.made !== workflows) {
      framework = { handler: serve({ client: new Client({ secretKey, strictAuthentication: true }), workflows }), made: workflows };
    }
    request.body = seen.body ?? {};
    request.query = Object.fromEntries(query);
    response.status = (code) => ((response.statusCode = code), response);
    response.send = (body) => response.end(body);
    return framework.handler(request, response);
  };
};

before(async () => {
  server = await Carillon.start({ args: ["--clock", "virtual"] });
  novu = api(server);
  bridge = await listen(application(server.dev.secretKey));
  bridgeUrl = `http://127.0.0.1:${bridge.address().port}/api/novu?via=test`;
});
after(async () => {
  await server?.stop();
  close(bridge);
});

const sync = (url = bridgeUrl) => server.call("POST", "//v1/bridge/sync?source=cli", { bridgeUrl: url });
const move = (advance) => server.call("POST", "/v1/testing/clock", { advance });
const feed = async (transactionId) => {
  await move("PT0S");
  return (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0];
};
const job = (run, stepId) => run.jobs.find((j) => j.step?.stepId === stepId || j.step?.uuid === stepId || j.stepId === stepId || j.step?.name === stepId);
const details = (run, stepId) => job(run, stepId).executionDetails.map((d) => d.detail);
const executed = (stepId) => asked.filter((a) => a.query.get("action") === "execute" && a.query.get("stepId") === stepId);
let triggers = 0;
const trigger = async (workflowId, payload = {}, more = {}) => {
  const transactionId = `b-${++triggers}`;
  await novu.trigger({ workflowId, to: { subscriberId: "ada", firstName: "Ada", email: "ada@example.com", phone: "+4912345" }, payload, transactionId, ...more });
  return transactionId;
};
const use = async (...made) => {
  workflows = made;
  const { status, body } = await sync();
  assert.equal(status, 201, JSON.stringify(body));
  return body.data;
};
const outbox = async (channel, transactionId) =>
  (await server.call("GET", `/v1/outbox?channel=${channel}&transactionId=${transactionId}`)).body.data;

test("a sync stores what the code says, keeps ids, and takes what the code has no more", async () => {
  const one = workflow("My Workflow", async ({ step }) => void (await step.inApp("bell", () => ({ body: "hi" }))), { tags: ["a"], description: "first", severity: "high" });
  const two = workflow("second", async ({ step }) => void (await step.sms("text", () => ({ body: "hi" }))),
    { preferences: { all: { enabled: false }, channels: { inApp: { enabled: true } } } });
  const dashboard = (await novu.workflows.create({ name: "Own", workflowId: "own", active: true, steps: [] })).result;
  const first = await use(one, two);
  assert.deepEqual(first.map((w) => [w.triggers[0].identifier, w.type, w.origin, w.tags]),
    [["My Workflow", "BRIDGE", "external", ["a"]], ["second", "BRIDGE", "external", []]]);
  const discovery = asked.find((a) => a.query.get("action") === "discover");
  assert.equal(discovery.query.get("via"), "test", "the URL's own query stays");
  assert.equal(discovery.query.get("environmentType"), "dev");
  assert.match(discovery.headers["novu-signature"], /^t=\d{13},v1=[0-9a-f]{64}$/);
  const stored = (await novu.workflows.get("second")).result;
  assert.equal(stored.origin, "external");
  assert.deepEqual(Object.entries(stored.preferences.default.channels).filter(([, c]) => c.enabled).map(([name]) => name), ["in_app"]);

  const renamed = workflow("second", async ({ step }) => void (await step.sms("text", () => ({ body: "hi" }))), { name: "Second" });
  const again = await use(renamed);
  assert.equal(again[0]._id, first[1]._id);
  assert.equal(again[0].steps[0]._id, first[1].steps[0]._id);
  assert.equal(again[0].name, "Second");
  await assert.rejects(() => novu.workflows.get("My Workflow"), (error) => error.statusCode === 404);
  assert.equal((await novu.workflows.get("own")).result.id, dashboard.id);
  const environment = (await server.call("GET", "/v1/environments/me")).body.data;
  assert.equal(environment.bridge?.url, bridgeUrl);
});

test("what cannot be synced is refused and changes nothing", async () => {
  await use(workflow("kept", async ({ step }) => void (await step.inApp("bell", () => ({ body: "hi" })))));
  workflows = [workflow("own", async ({ step }) => void (await step.inApp("bell", () => ({ body: "hi" })))), workflow("new", async ({ step }) => void (await step.inApp("b", () => ({ body: "x" }))))];
  let answer = await sync();
  assert.equal(answer.status, 400);
  assert.equal(answer.body.message, "Workflow own was already created in Dashboard. Please use another workflowId.");
  assert.equal((await server.call("GET", "/v2/workflows/new")).status, 404);
  assert.equal((await server.call("GET", "/v2/workflows/kept")).status, 200);
  for (const [url, status, text] of [
    ["ftp://x/y", 422, "bridgeUrl must be a URL address"], ["no-url", 422, "bridgeUrl must be a URL address"],
    ["http://a:b@127.0.0.1/x", 400, "bridgeUrl"], ["http://127.0.0.1:9/x", 400, "Unable to reach Bridge Endpoint at `http://127.0.0.1:9/x`"],
  ]) {
    answer = await sync(url);
    assert.equal(answer.status, status, url);
    assert.ok(JSON.stringify(answer.body).includes(text), JSON.stringify(answer.body));
  }
  for (const [response, status, text] of [
    [{ status: 401, body: "<html>" }, 400, "Bridge authentication failed"], [{ status: 200, body: "<html>" }, 400, "Bridge URL response code is 2xx, but parsing body failed"],
    [{ status: 413, body: "<html>" }, 400, "Payload too large"], [{ status: 200, body: "{}" }, 400, "Invalid Bridge URL Response"],
    [{ status: 200, body: '{"workflows":[{"workflowId":"x"}]}' }, 400, "Invalid Bridge URL Response"],
  ]) {
    fault = (_, reply) => (reply.writeHead(response.status), reply.end(response.body), true);
    answer = await sync();
    fault = undefined;
    assert.equal(answer.status, status);
    assert.ok(answer.body.message.includes(text), answer.body.message);
  }
  assert.equal((await server.call("GET", "/v2/workflows/kept")).status, 200);
});

test("every channel step is computed by the code, with what came before", async () => {
  await use(workflow("all", async ({ step, payload }) => {
    const bell = await step.inApp("bell", (controls) => ({
      subject: `Hi ${controls.who}`, body: `<b>${payload.name}</b><script>x</script>`, data: { k: 1 }, avatar: "https://example.com/a.png",
      primaryAction: { label: "Open", redirect: { url: "/x" } },
    }), { controlSchema: { type: "object", properties: { who: { type: "string", default: "{{subscriber.firstName}}" } }, additionalProperties: false } });
    const fetched = await step.custom("fetch", () => ({ total: 3 }), { outputSchema: { type: "object", properties: { total: { type: "number" } }, required: ["total"], additionalProperties: false } });
    await step.sms("text", () => ({ body: `${fetched.total} ${bell.seen}` }));
    await step.email("mail", (controls) => ({ subject: controls.subject, body: `<p>${payload.name}</p>` }),
      { controlSchema: { type: "object", properties: { subject: { type: "string", default: "S {{steps.fetch.total}}" } }, additionalProperties: false } });
    await step.push("push", () => ({ subject: "p", body: "q" }));
    await step.chat("chat", () => ({ body: "c" }));
  }, { payloadSchema: anything }));
  asked.length = 0;
  const id = await trigger("all", { name: "Zoë \u2028 a/b", 2: 1, 1: 2, big: 12345678901234567890, one: 1.0, small: 1e-7 });
  const run = await feed(id);
  assert.deepEqual(run.jobs.map((j) => j.status), Array(run.jobs.length).fill("completed"), JSON.stringify(run.jobs.map((j) => j.executionDetails.map((d) => [d.detail, d.raw]))));
  const [bell] = (await server.call("GET", `/v1/messages?transactionId=${id}&channel=in_app`)).body.data;
  assert.equal(bell.subject, "Hi Ada");
  assert.equal(bell.content, "<b>Zoë \u2028 a/b</b>");
  assert.equal(bell.cta.action.buttons[0].content, "Open");
  assert.deepEqual(bell.data, { k: 1 });
  const [sms] = await outbox("sms", id), [mail] = await outbox("email", id), [push] = await outbox("push", id), [chat] = await outbox("chat", id);
  assert.equal(sms.text, "3 false");
  assert.equal(mail.subject, "S 3");
  assert.ok(mail.html.includes("<p>Zoë \u2028 a/b</p>"), mail.html);
  assert.deepEqual([push.title, push.text, chat.text], ["p", "q", "c"]);
  assert.ok(details(run, "fetch").includes("Step processed"));
  const last = executed("chat")[0].body;
  assert.deepEqual(last.state.map((s) => s.stepId), ["push", "mail", "text", "fetch", "bell", ""]);
  assert.deepEqual(last.state.at(-2).outputs, { seen: false, read: false, lastSeenDate: null, lastReadDate: null });
  assert.equal(executed("bell").length, 1);
  assert.equal(executed("bell")[0].headers["bypass-tunnel-reminder"], "true");
});

test("a digest, a delay and a throttle are what the code says, and give it their results", async () => {
  const seen = [];
  await use(workflow("waits", async ({ step, payload }) => {
    await step.throttle("gate", () => ({ type: "fixed", amount: 1, unit: "days", threshold: 3 }));
    const digest = await step.digest("group", () => ({ amount: 10, unit: "minutes", digestKey: payload.k }));
    const delay = await step.delay("wait", () => ({ amount: 1, unit: "hours" }));
    await step.sms("text", () => {
      seen.push({ digest, delay });
      return { body: digest.events.map((e) => e.payload.n).join("+") };
    });
  }, { payloadSchema: anything }));
  const ids = [await trigger("waits", { n: 1, k: "a" }), await trigger("waits", { n: 2, k: "a" }), await trigger("waits", { n: 3, k: "b" })];
  await feed(ids[0]);
  const late = await trigger("waits", { n: 4, k: "a" });
  let run = await feed(late);
  assert.equal(job(run, "gate").status, "skipped");
  assert.ok(details(run, "gate").includes("Throttle limit exceeded for the given window"));
  run = await feed(ids[1]);
  assert.equal(job(run, "group").status, "merged");
  run = await feed(ids[0]);
  assert.equal(job(run, "group").status, "delayed");
  assert.deepEqual([job(run, "group").digest.amount, job(run, "group").digest.unit, job(run, "group").digest.digestValue], [10, "minutes", "a"]);
  await move("PT10M");
  assert.equal(job(await feed(ids[0]), "wait").status, "delayed");
  await move("PT1H");
  assert.equal((await outbox("sms", ids[0]))[0].text, "1+2");
  assert.equal((await outbox("sms", ids[2]))[0].text, "3");
  assert.equal(seen.length, 2);
  assert.ok(seen.every((s) => s.delay.duration >= 3600_000), JSON.stringify(seen));
});

test("skip skips, and the next step knows of it", async () => {
  await use(workflow("skips", async ({ step }) => {
    await step.inApp("bell", () => ({ body: "x" }), { skip: () => true });
    await step.delay("wait", () => ({ amount: 1, unit: "hours" }), { skip: () => true });
    await step.sms("text", () => ({ body: "on" }));
  }));
  const id = await trigger("skips");
  const run = await feed(id);
  assert.equal(job(run, "bell").status, "canceled");
  assert.ok(details(run, "bell").includes("Bridge execution skipped"));
  assert.equal(job(run, "wait").status, "skipped");
  assert.equal((await outbox("sms", id))[0].text, "on");
  assert.equal(executed("text").at(-1).body.state.find((s) => s.stepId === "bell").state.status, "canceled");
});

test("a preference that is off is looked at after the code was asked", async () => {
  await use(workflow("quiet", async ({ step }) => void (await step.sms("text", () => ({ body: "x" }))), { preferences: { channels: { sms: { enabled: false } } } }));
  asked.length = 0;
  const id = await trigger("quiet");
  const run = await feed(id);
  assert.equal(job(run, "text").status, "canceled");
  assert.equal(executed("text").length, 1);
  assert.deepEqual(await outbox("sms", id), []);
});

test("control values set here reach the code, survive a sync, and are seen in a preview", async () => {
  const made = workflow("edited", async ({ step, payload }) => void (await step.email("mail", (controls) => ({ subject: controls.subject, body: payload.who ?? "nobody" }),
    { controlSchema: { type: "object", properties: { subject: { type: "string", default: "D" } }, additionalProperties: false } })), { payloadSchema: anything });
  await use(made);
  const path = "/v1/bridge/controls/edited/mail";
  assert.equal((await server.call("GET", path)).body.data, null);
  assert.equal((await server.call("PUT", path, { variables: { subject: "X {{payload.who}}" } })).status, 200);
  await use(made);
  assert.equal((await server.call("GET", path)).body.data.controls.subject, "X {{payload.who}}");
  assert.equal((await server.call("GET", "/v1/bridge/controls/edited/none")).body.message, "Step not found");
  assert.equal((await server.call("GET", "/v1/bridge/controls/none/mail")).body.message, "Workflow not found");
  const preview = await server.call("POST", "/v1/bridge/preview/edited/mail", { controls: { subject: "P {{payload.who}}" }, payload: { who: "Bo" } });
  assert.equal(preview.status, 201, JSON.stringify(preview.body));
  assert.deepEqual(preview.body.data.outputs, { subject: "P Bo", body: "Bo" });
  const stateless = await server.call("POST", "/v1/bridge/stateless/preview/edited/mail", { bridgeUrl, stepType: "email", controlValues: { subject: "Q" }, previewPayload: { payload: { who: "Cy" } } });
  assert.deepEqual(stateless.body.data, { result: { preview: { subject: "Q", body: "Cy" }, type: "email" }, previewPayloadExample: { payload: { who: "Cy" } } });
  const { body } = await server.call("POST", "/v1/bridge/diff", { bridgeUrl, workflows: [] });
  assert.deepEqual(body.data.current.workflows.map((w) => w.workflowId), ["edited"]);
  assert.deepEqual(body.data.new, { bridgeUrl, workflows: [] });
});

test("the bridge's health is told, and whether a URL is one", async () => {
  assert.equal((await server.call("GET", "/v1/bridge/status")).body.data.status, "ok");
  assert.equal((await server.call("POST", "/v1/bridge/stateless/status", { bridgeUrl })).body.data.status, "ok");
  assert.deepEqual((await server.call("POST", "/v1/bridge/validate", { bridgeUrl })).body.data, { isValid: true });
  const bad = await server.call("POST", "/v1/bridge/validate", { bridgeUrl: "http://127.0.0.1:9/x" });
  assert.equal(bad.status, 201);
  assert.equal(bad.body.data.isValid, false);
  assert.match(bad.body.data.error, /Unable to reach Bridge Endpoint/);
  const found = await server.call("POST", "/v1/bridge/stateless/discover", { bridgeUrl });
  assert.deepEqual(found.body.data.workflows.map((w) => w.workflowId), ["edited"]);
  assert.equal((await server.call("GET", "/v1/bridge/status", undefined, { key: server.prod.secretKey })).status, 400);
});

test("a bridge that is down, slow, wrong or throws is told in the activity, and asked again where that may help", async () => {
  await use(workflow("faulty", async ({ step, payload }) => {
    await step.sms("text", () => {
      if (payload.boom) throw new Error("boom");
      return payload.bad ? { body: 5 } : { body: "ok" };
    });
    await step.inApp("bell", () => ({ body: "after" }));
  }, { payloadSchema: anything }));
  const statuses = (list) => {
    let n = 0;
    fault = ({ query }, reply) => {
      if (query.get("stepId") !== "text" || n >= list.length) return false;
      const status = list[n++];
      if (status === 0) return reply.destroy(), true;
      if (status === -1) return true;
      reply.writeHead(status);
      reply.end(status === 200 ? '{"outputs":{},"options":{}}' : "<html>");
      return true;
    };
    return () => n;
  };
  const cases = [
    { list: [503, 503], waits: ["PT1S", "PT2S"], status: "completed", asked: 2 },
    { list: [502], status: "failed", detail: "Bridge execution failed", code: "BridgeEndpointNotFound", asked: 1 },
    { list: [413], status: "failed", code: "PayloadTooLarge", asked: 1 },
    { list: [401], status: "failed", code: "BridgeAuthenticationFailed", asked: 1 },
    // The transport itself asks once more over a fresh connection when a kept one is closed on it.
    { list: Array(8).fill(0), waits: ["PT1S", "PT2S", "PT4S"], status: "failed", code: "ECONNRESET", least: 4 },
    { list: [200], status: "failed", detail: "Message content could not be generated", asked: 1 },
    { list: [], payload: { boom: true }, status: "failed", code: "StepExecutionFailedError", asked: 0 },
    { list: [], payload: { bad: true }, status: "failed", code: "ExecutionStateOutputInvalidError", asked: 0 },
  ];
  for (const c of cases) {
    const count = statuses(c.list);
    const id = await trigger("faulty", c.payload);
    for (const wait of c.waits ?? []) {
      assert.equal(job(await feed(id), "text").status, "running", JSON.stringify(c));
      await move(wait);
    }
    const run = await feed(id);
    assert.equal(job(run, "text").status, c.status, JSON.stringify([c, job(run, "text").executionDetails]));
    if (c.least) assert.ok(count() >= c.least, String(count()));
    else assert.equal(count(), c.asked, JSON.stringify(c));
    const last = job(run, "text").executionDetails.find((d) => d.status === "Failed");
    if (c.status === "failed") assert.equal(last.detail, c.detail ?? "Bridge execution failed");
    if (c.code) assert.equal(JSON.parse(last.raw).code, c.code, last.raw);
    assert.equal(job(run, "bell").status, "completed", "a channel step that fails does not stop the run");
  }
  fault = undefined;
});

test("a step's preview is what the code says; where it cannot be asked, that is said", async () => {
  await use(workflow("shown", async ({ step }) => {
    const digest = await step.digest("collect", () => ({ amount: 1, unit: "hours" }));
    const own = await step.custom("count", () => ({ n: 5 }), { outputSchema: { type: "object", properties: { n: { type: "number" } }, required: ["n"] } });
    await step.email("mail", (controls) => ({ subject: `${controls.subject} ${digest.events.length}/${own.n}`, body: "<b>{{t.hello}}</b>" }),
      { controlSchema: { type: "object", properties: { subject: { type: "string", default: "D {{payload.who}}" } }, additionalProperties: false } });
    await step.sms("text", () => { throw new Error("oh no"); });
  }, { payloadSchema: { type: "object", properties: { who: { type: "string", default: "Eve" } } } }));
  const preview = async (step, body) => {
    const { status, body: answer } = await server.call("POST", `/v2/workflows/shown/step/${step}/preview`, body);
    assert.equal(status, 201, JSON.stringify(answer));
    return answer.data;
  };
  const first = await preview("mail", {});
  assert.deepEqual(first.result, { type: "email", preview: { subject: "D Eve 3/42.5", body: "<b>{{t.hello}}</b>" } });
  assert.equal(first.previewPayloadExample.payload.who, "Eve");
  assert.deepEqual(Object.keys(first.previewPayloadExample.steps), ["collect", "count"]);
  assert.ok(first.schema.properties.payload.properties.who);
  const given = await preview("mail", { controlValues: { subject: "P {{payload.who}}" }, previewPayload: { payload: { who: "Bo" }, steps: { count: { n: 7 } } } });
  assert.equal(given.result.preview.subject, "P Bo 3/7");
  assert.deepEqual((await preview("collect", {})).result, { type: "digest", preview: { amount: 1, unit: "hours" } });
  assert.deepEqual((await preview("text", {})).result, { type: "sms", preview: {}, error: { title: "The step cannot be previewed",
    message: "Failed to preview Step with id: `text`: oh no", hint: "Look at the application, and at the environment's bridge URL." } });
  const wrong = await preview("mail", { controlValues: { subject: "{{ payload.who" } });
  assert.deepEqual([wrong.result.preview, wrong.result.error.title], [{}, "The step cannot be previewed"]);
  assert.deepEqual(await preview("none", {}), { result: { preview: {} }, previewPayloadExample: {}, schema: null });
  fault = (seen, response) => (response.end('{"options":{}}'), true);
  assert.equal((await preview("mail", {})).result.error.message, "The bridge's answer has no outputs");
  fault = (seen, response) => (response.writeHead(503).end("x"), true);
  assert.match((await preview("mail", {})).result.error.message, /bridge request error/);
  fault = undefined;
  // Clients that check what they read, too.
  const sdk = await novu.workflows.steps.generatePreview({ workflowId: "shown", stepId: "mail", generatePreviewRequestDto: {} });
  assert.equal(sdk.result.result.preview.subject, "D Eve 3/42.5");
});

test("issues of a code-first step are judged by its own schema; the dashboard changes its values and nothing else", async () => {
  const strict = { type: "object", properties: { title: { type: "string", minLength: 2 }, count: { type: "number", default: 3 } }, required: ["title", "count"], additionalProperties: false };
  const made = workflow("judged", async ({ step }) => {
    await step.inApp("bell", (controls) => ({ body: controls.title }), { controlSchema: strict });
    await step.email("mail", () => ({ subject: "s", body: "b" }));
  }, { name: "Judged", payloadSchema: { type: "object", properties: { who: { type: "string" } }, additionalProperties: false } });
  const issues = async () => Object.fromEntries((await server.call("GET", "/v2/workflows/judged")).body.data.steps.map((s) => [s.stepId, s.issues.controls ?? {}]));
  await use(made);
  assert.deepEqual(await issues(), { bell: { title: [{ issueType: "MISSING_VALUE", variableName: "title", message: "Title is required" }] }, mail: {} });
  await server.call("PUT", "/v1/bridge/controls/judged/bell", { variables: { title: "Hi {{payload.who}} {{payload.what}}" } });
  assert.deepEqual(Object.keys((await issues()).bell), ["title"]);
  assert.match((await issues()).bell.title[0].message, /payload.what/);
  await use(made);
  assert.match((await issues()).bell.title[0].message, /payload.what/);

  const read = (await server.call("GET", "/v2/workflows/judged")).body.data;
  assert.equal(read.status, "ERROR");
  const changed = await server.call("PUT", "/v2/workflows/judged", { ...read, name: "Mine", description: "x", tags: ["y"], active: false,
    payloadSchema: { type: "object" }, preferences: { user: { all: { enabled: false } }, workflow: { all: { enabled: false } } },
    steps: [{ ...read.steps[0], name: "other", controlValues: { title: "Fine" } }, { name: "New", type: "sms", controlValues: { body: "x" } }] });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  const now = changed.body.data;
  assert.deepEqual([now.name, now.description, now.tags, now.active, now.origin], ["Judged", "", [], false, "external"]);
  assert.deepEqual(now.payloadSchema, read.payloadSchema);
  assert.deepEqual([now.preferences.user.all.enabled, now.preferences.default.all.enabled], [false, true]);
  assert.deepEqual(now.steps.map((s) => [s.stepId, s.type, s.controls.values]), [["bell", "in_app", { title: "Fine" }], ["mail", "email", { subject: "" }]]);
  assert.equal((await server.call("PUT", "/v2/workflows/judged", { ...now, active: true })).status, 200);
  assert.equal((await server.call("GET", "/v1/bridge/controls/judged/mail")).body.data, null, "what closed types require is not stored when it comes back");
  assert.deepEqual([now.steps[0].controls.dataSchema, now.steps[0].controls.uiSchema], [strict, undefined]);
  assert.deepEqual(await issues(), { bell: {}, mail: {} });
  const { body } = await server.call("POST", "/v1/bridge/diff", { bridgeUrl, workflows: [] });
  assert.ok(body.data.current.workflows.some((w) => w.workflowId === "judged"), "what the code said is still there");
  assert.equal((await server.call("PUT", "/v2/workflows/judged", { ...read, steps: [{ ...read.steps[0], controlValues: [] }] })).status, 422);

  fault = (seen, response) => (response.end(JSON.stringify({ workflows: [{ workflowId: "future", steps: [{ stepId: "a", type: "hologram" }, { stepId: "b", type: "sms" }] }] })), true);
  assert.equal((await sync()).status, 201);
  fault = undefined;
  const future = (await server.call("GET", "/v2/workflows/future")).body.data;
  assert.deepEqual([future.steps.map((s) => s.stepId), future.status], [["b"], "ERROR"]);
  assert.deepEqual(future.issues, { "steps.a": { issueType: "UNSUPPORTED_STEP_TYPE", variableName: "a", message: 'Steps of type "hologram" are not known here: this one does not run' } });
});

/** Another application, which nobody has synced: `own.workflows` may change at any time. */
const unsynced = async (secretKey, ...made) => {
  const own = { workflows: made, asked: [] };
  const client = () => new Client({ secretKey, strictAuthentication: true });
  own.http = await listen((request, response, text) => {
    const query = new URL(request.url, "http://x").searchParams;
    request.body = text ? JSON.parse(text) : {};
    own.asked.push({ query, headers: request.headers, body: request.body });
    request.query = Object.fromEntries(query);
    response.status = (code) => ((response.statusCode = code), response);
    response.send = (body) => response.end(body);
    return serve({ client: client(), workflows: own.workflows })(request, response);
  });
  own.origin = `http://127.0.0.1:${own.http.address().port}`;
  own.url = `${own.origin}/api/novu`;
  return own;
};

test("a trigger may bring its workflow along: nothing is synced, nothing is stored", async () => {
  const greet = (name) => workflow("greet", async ({ step, payload }) => {
    await step.delay("pause", () => ({ amount: 1, unit: "hours" }));
    await step.inApp("bell", (controls) => ({ subject: controls.greeting, body: `${name} ${payload.who}` }),
      { controlSchema: { type: "object", properties: { greeting: { type: "string", default: "none" } }, additionalProperties: false } });
    await step.email("mail", () => ({ subject: "s", body: "b" }));
  }, { name: "Greeting", tags: ["t"], severity: "high", preferences: { channels: { email: { enabled: false } } }, payloadSchema: anything });
  const own = await unsynced(server.dev.secretKey, greet("before"));
  process.env.NOVU_API_URL = server.url;
  process.env.NOVU_SECRET_KEY = server.dev.secretKey;
  process.env.NOVU_BRIDGE_ORIGIN = own.origin;
  try {
    await server.call("POST", "/v2/subscribers", { subscriberId: "chooser", email: "c@example.com" });
    const off = await server.call("PATCH", "/v2/subscribers/chooser/preferences", { channels: { in_app: false } });
    assert.equal(off.status, 200, JSON.stringify(off.body));
    // As the SDK does it: the URL comes from its environment.
    const { data: { data } } = await workflow("greet", async () => {}).trigger({
      to: { subscriberId: "chooser" }, payload: { who: "Ada" }, transactionId: "brought-1" });
    assert.deepEqual([data.acknowledged, data.status, data.transactionId], [true, "processed", "brought-1"]);
    assert.deepEqual(own.asked.map((a) => a.query.get("action")).slice(0, 1), ["discover"]);
    assert.match(own.asked[0].headers["novu-signature"], /^t=\d{13},v1=[0-9a-f]{64}$/);
    assert.equal((await server.call("GET", "/v2/workflows/greet")).status, 404);
    const controlled = await server.call("POST", "/v1/events/trigger", { name: "greet", to: "chooser", payload: { who: "Bo" }, bridgeUrl: own.url,
      controls: { steps: { bell: { greeting: "Hi" }, mail: { unknown: 1 } } }, transactionId: "brought-2" });
    assert.equal(controlled.status, 201, JSON.stringify(controlled.body));

    // The steps are those of the trigger; what they say is what the code says when they run.
    own.workflows = [greet("after")];
    await move("PT0S");
    await move("PT1H");
    const run = await feed("brought-1");
    assert.equal(run.template.name, "Greeting");
    assert.deepEqual(run.template.triggers.map((t) => t.identifier), ["greet"]);
    assert.deepEqual(run.jobs.map((j) => [j.type, j.status]), [["trigger", "completed"], ["delay", "completed"], ["in_app", "completed"], ["email", "canceled"]]);
    assert.ok(details(run, "mail").includes("Step filtered by workflow preferences"), JSON.stringify(details(run, "mail")));
    const bells = (await server.call("GET", "/v1/messages?subscriberId=chooser&channel=in_app")).body.data.reverse();
    assert.deepEqual(bells.map((m) => [m.subject, m.content, m.severity, m.tags]), [["none", "after Ada", "high", ["t"]], ["Hi", "after Bo", "high", ["t"]]],
      "what subscribers chose does not count: they cannot have chosen anything of it");
    const decisions = await server.call("GET", "/v1/subscribers/chooser/decisions");
    assert.equal(decisions.body.data[0].workflow.workflowId, "greet", JSON.stringify(decisions.body.data[0]));
  } finally {
    delete process.env.NOVU_API_URL;
    delete process.env.NOVU_SECRET_KEY;
    delete process.env.NOVU_BRIDGE_ORIGIN;
    close(own.http);
  }
});

test("in bulk, to topics and to everybody a workflow may be brought along, too; each bridge is asked once", async () => {
  const own = await unsynced(server.dev.secretKey,
    workflow("brought", async ({ step, subscriber }) => void (await step.inApp("bell", () => ({ body: `for ${subscriber.subscriberId}` })))),
    workflow("empty", async () => {}));
  await use(workflow("stored", async ({ step }) => void (await step.inApp("bell", () => ({ body: "stored" })))));
  const { body, status } = await server.call("POST", "/v1/events/trigger/bulk", { events: [
    { name: "brought", to: "ada", bridgeUrl: own.url, transactionId: "bulk-1" },
    { name: "stored", to: "ada", transactionId: "bulk-2" },
    { name: "stored", to: "ada", bridgeUrl: own.url },
    { name: "brought", to: "ada" },
    { name: "brought", to: ["ada", "bob"], bridgeUrl: own.url, transactionId: "bulk-3" },
    { name: "brought", to: "ada", bridgeUrl: "http://127.0.0.1:9/x" },
    { name: "empty", to: "ada", bridgeUrl: own.url, transactionId: "bulk-4" },
  ] });
  assert.equal(status, 201);
  assert.deepEqual(body.data.map((r) => [r.status, r.error?.[0]]), [
    ["processed", undefined], ["processed", undefined], ["error", "workflow_not_found"], ["error", "workflow_not_found"],
    ["processed", undefined],
    ["error", "Unable to reach Bridge Endpoint at `http://127.0.0.1:9/x`. Run npx novu@latest dev in Local mode, or ensure your Bridge app deployment is available."],
    ["processed", undefined]]);
  assert.equal(own.asked.filter((a) => a.query.get("action") === "discover").length, 1);
  await move("PT0S");
  const content = async (id) => (await server.call("GET", `/v1/messages?transactionId=${id}`)).body.data.map((m) => m.content).sort();
  assert.deepEqual(await content("bulk-1"), ["for ada"]);
  assert.deepEqual(await content("bulk-2"), ["stored"]);
  assert.deepEqual(await content("bulk-3"), ["for ada", "for bob"]);
  assert.deepEqual((await feed("bulk-4")).jobs.map((j) => j.type), ["trigger"]);

  await server.call("POST", "/v2/topics", { key: "readers", name: "Readers" });
  await server.call("POST", "/v2/topics/readers/subscriptions", { subscriberIds: ["ada", "bob"] });
  const topic = await server.call("POST", "/v1/events/trigger", { name: "brought", to: { type: "Topic", topicKey: "readers" }, bridgeUrl: own.url, transactionId: "topic-1" });
  assert.equal(topic.body.data.status, "processed");
  const all = await server.call("POST", "/v1/events/trigger/broadcast", { name: "brought", payload: {}, bridgeUrl: own.url, transactionId: "all-1" });
  assert.equal(all.status, 201, JSON.stringify(all.body));
  await move("PT0S");
  assert.deepEqual(await content("topic-1"), ["for ada", "for bob"]);
  assert.ok((await content("all-1")).length > 2);

  const explained = await server.call("POST", "/v1/events/explain", { name: "brought", to: "ada", bridgeUrl: own.url });
  assert.equal(explained.status, 200, JSON.stringify(explained.body));
  assert.deepEqual(explained.body.data.timelines[0].steps.map((s) => [s.stepId, s.type]), [["bell", "in_app"]]);
  assert.equal((await server.call("POST", "/v1/events/explain", { name: "none", to: "ada", bridgeUrl: own.url })).body.message, "workflow_not_found");
  close(own.http);
});

test("a bridge that a trigger names and that cannot be asked is told at once, and nothing begins", async () => {
  const own = await unsynced(server.dev.secretKey, workflow("here", async ({ step }) => void (await step.inApp("bell", () => ({ body: "x" })))));
  for (const [event, status, text] of [
    [{ name: "gone", bridgeUrl: own.url }, 422, "workflow_not_found"],
    [{ name: "here", bridgeUrl: "ftp://127.0.0.1/x" }, 400, 'bridgeUrl: URL scheme "ftp:" is not allowed. Only http and https are permitted.'],
    [{ name: "here", bridgeUrl: "http://a:b@127.0.0.1/x" }, 400, "bridgeUrl: URLs with embedded credentials are not allowed."],
    [{ name: "here", bridgeUrl: "http://127.0.0.1:9/x" }, 400, "Unable to reach Bridge Endpoint"],
    [{ name: "here", bridgeUrl: `${own.origin}/api/novu`, agentId: " " }, 400, "Agent identifier must be a non-empty string."],
  ]) {
    const { status: got, body } = await server.call("POST", "/v1/events/trigger", { to: "ada", transactionId: "none", ...event });
    assert.equal(got, status, JSON.stringify(body));
    assert.ok(body.message.startsWith(text), body.message);
  }
  for (const more of [{ bridgeUrl: 5 }, { bridgeUrl: own.url, controls: [] }]) {
    assert.equal((await server.call("POST", "/v1/events/trigger", { name: "here", to: "ada", ...more })).status, 422, JSON.stringify(more));
  }
  const wrong = await listen((_, response) => response.end('{"workflows":5}'));
  const refused = await server.call("POST", "/v1/events/trigger", { name: "here", to: "ada", bridgeUrl: `http://127.0.0.1:${wrong.address().port}/` });
  assert.deepEqual([refused.status, refused.body.message], [400, "Invalid Bridge URL Response"]);
  const twice = await listen((_, response) => response.end('{"workflows":[{"workflowId":"here","steps":[{"stepId":"a","type":"sms"},{"stepId":"a","type":"sms"}]}]}'));
  assert.equal((await server.call("POST", "/v1/events/trigger", { name: "here", to: "ada", bridgeUrl: `http://127.0.0.1:${twice.address().port}/` })).status, 400);
  // The key is freed: what was refused for its bridge may be tried again.
  const key = { headers: { "Idempotency-Key": "brought-key" } };
  const again = (name) => server.call("POST", "/v1/events/trigger", { name, to: "ada", bridgeUrl: own.url }, key);
  assert.equal((await again("here")).status, 201);
  const replay = await again("here");
  assert.equal(replay.status, 201);
  assert.deepEqual((await server.call("GET", "/v1/notifications?transactionId=none")).body.data, []);
  for (const http of [own.http, wrong, twice]) close(http);
});

test("what a trigger brought along outlives the process", async () => {
  const first = await Carillon.start();
  const own = await unsynced(first.dev.secretKey, workflow("waits", async ({ step }) => {
    await step.delay("pause", () => ({ amount: 2, unit: "seconds" }));
    await step.inApp("bell", () => ({ body: "awake" }));
  }));
  let second;
  try {
    assert.equal((await first.call("POST", "/v1/events/trigger", { name: "waits", to: "eva", bridgeUrl: own.url, transactionId: "outlives" })).status, 201);
    await until(async () => (await first.call("GET", "/v1/notifications?transactionId=outlives")).body.data[0]?.jobs?.[1].status === "delayed", "the delay");
    await first.kill();
    second = await Carillon.start({ dir: first.dir });
    const message = await until(async () => (await second.call("GET", "/v1/messages?transactionId=outlives", undefined, { key: first.dev.secretKey })).body.data[0], "the message");
    assert.equal(message.content, "awake");
    const run = (await second.call("GET", "/v1/notifications?transactionId=outlives", undefined, { key: first.dev.secretKey })).body.data[0];
    assert.deepEqual(run.jobs.map((j) => [j.step.stepId, j.status]).slice(1), [["pause", "completed"], ["bell", "completed"]]);
  } finally {
    await second?.stop();
    await first.stop();
    close(own.http);
  }
});

// What the original's end-to-end tests of bridges say of runs (bridge-trigger.e2e.ts), of a workflow that was synced and of one that a trigger brings along.
for (const brought of [false, true])
  test(`the code's steps, ${brought ? "brought along" : "synced"}: defaults, controls, skips, a payload that does not fit, a custom step in between`, async () => {
    const controls = (properties) => ({ controlSchema: { type: "object", properties } });
    const named = { payloadSchema: { type: "object", properties: { name: { type: "string", default: "default_name" } }, required: [], additionalProperties: false } };
    const mail = (name, options) => async ({ step, payload }) => void (await step.email("mail", (c) => ({ subject: `prefix ${c.name}`, body: `Body ${payload.name}` }), { ...controls({ name: { type: "string", default: name } }), ...options }));
    let middle = async () => {};
    const made = [
      workflow("t-default", mail("Hello {{payload.name}}"), named), workflow("t-static", mail("x", { skip: () => true }), named),
      workflow("t-control", async ({ step }) => void (await step.email("mail", () => ({ subject: "s", body: "b" }), { ...controls({ no: { type: "boolean", default: true } }), skip: (c) => c.no })), named),
      workflow("t-needs", async ({ step }) => void (await step.email("mail", () => ({ subject: "s", body: "b" }))), { payloadSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"], additionalProperties: false } }),
      workflow("t-two", async ({ step }) => { await step.inApp("one", () => ({ body: "Hello 1" })); await step.inApp("two", () => ({ body: "Hello 2" })); }),
      workflow("t-custom", async ({ step }) => {
        const bell = await step.inApp("bell", () => ({ body: "Hello" }));
        const own = await step.custom("own", async () => (await middle(), { read: "Read", unread: "Unread" }), { outputSchema: { type: "object", properties: { read: { type: "string" }, unread: { type: "string" } }, required: [], additionalProperties: false } });
        await step.email("mail", () => ({ subject: bell.read ? own.read : own.unread, body: "b" }));
      }),
      workflow("t-some", async ({ step, payload }) => {
        await step.inApp("bell", () => ({ body: "log" }), { skip: () => payload.name === "John Doe" });
        await step.email("mail", () => ({ subject: `Welcome ${payload.name}`, body: "b" }));
      }, { payloadSchema: { type: "object", properties: { name: { type: "string", default: "John Doe" } }, required: [], additionalProperties: false } }),
    ];
    const own = brought ? await unsynced(server.dev.secretKey, ...made) : undefined;
    if (!brought) await use(...made);
    try {
      const run = async (name, payload = {}, more = {}) => {
        const transactionId = `t-${++triggers}`;
        const { status, body } = await server.call("POST", "/v1/events/trigger", { name, to: { subscriberId: "t-ada", email: "t@example.com" }, payload, transactionId, ...(own && { bridgeUrl: own.url }), ...more });
        assert.equal(status, 201, JSON.stringify(body));
        const jobs = (await feed(transactionId)).jobs.slice(1);
        const sent = (await server.call("GET", `/v1/messages?transactionId=${transactionId}`)).body.data;
        // Of one moment: in no order.
        return { statuses: jobs.map((j) => j.status), sent: sent.map((m) => (m.channel === "email" ? m.subject : m.content)).sort(), details: jobs.flatMap((j) => j.executionDetails) };
      };
      for (const [name, payload, statuses, sent] of [
        ["t-default", {}, ["completed"], ["prefix Hello default_name"]], ["t-default", { name: "given" }, ["completed"], ["prefix Hello given"]],
        ["t-static", {}, ["canceled"], []], ["t-control", {}, ["canceled"], []], ["t-two", {}, ["completed", "completed"], ["Hello 1", "Hello 2"]],
        ["t-some", { name: "John Doe" }, ["canceled", "completed"], ["Welcome John Doe"]], ["t-some", { name: "Jane" }, ["completed", "completed"], ["Welcome Jane", "log"]], ["t-some", {}, ["canceled", "completed"], ["Welcome John Doe"]],
      ]) {
        const got = await run(name, payload);
        assert.deepEqual([got.statuses, got.sent], [statuses, sent], name + JSON.stringify([payload, got.details.map((d) => [d.detail, d.raw])]));
      }
      for (const [payload, text] of [[{}, "must have required property 'name'"], [{ name: 4 }, "must be string"]]) {
        const got = await run("t-needs", payload);
        assert.deepEqual(got.sent, []);
        const failed = got.details.filter((d) => d.status === "Failed");
        assert.ok(JSON.parse(failed[0].raw).data[0].message.includes(text), failed[0].raw);
      }
      middle = () => server.call("POST", "/v1/subscribers/t-ada/messages/mark-all", { markAs: "read" });
      assert.deepEqual((await run("t-custom")).sent, ["Hello", "Read"]);
      if (!own) await server.call("PUT", "/v1/bridge/controls/t-default/mail", { variables: { name: "stored" } });
      assert.deepEqual((await run("t-default", {}, own && { controls: { steps: { mail: { name: "stored" } } } })).sent, ["prefix stored"]);
    } finally {
      close(own?.http);
    }
  });

test("preferences: of the code, of the subscriber for all and for one workflow, and which of them it was", async () => {
  const on = { inApp: { enabled: true } }, off = { inApp: { enabled: false } };
  const code = "Step filtered by workflow preferences", all = "Step filtered by subscriber global preferences", one = "Step filtered by subscriber workflow preferences";
  const cases = [
    // what the code says, what the subscriber says of everything, of this workflow; who kept it back
    [undefined], [{ channels: on }], [{ channels: off }, , , code], [{ all: { enabled: false }, channels: on }], [{ all: { enabled: false } }, , , code],
    [{ all: { readOnly: true }, channels: on }, , false], [{ all: { readOnly: true }, channels: off }, , true, code],
    [{ all: { readOnly: true }, channels: on }, false], [{ all: { readOnly: true }, channels: off }, true, , code],
    [{ all: { readOnly: false }, channels: off }, true], [{ all: { readOnly: false }, channels: on }, false, , all],
    [{ all: { readOnly: false }, channels: off }, false, true], [{ all: { readOnly: false }, channels: on }, true, false, one], [{ channels: off }, , true], [{ channels: on }, , false, one],
  ];
  await use(...cases.map(([preferences], i) => workflow(`p-${i}`, async ({ step }) => void (await step.inApp("bell", () => ({ body: "Hello there" }))), preferences && { preferences })));
  for (const [i, [preferences, forAll, forOne, detail]] of cases.entries()) {
    const subscriberId = `p-${i}`, label = JSON.stringify([preferences, forAll, forOne]);
    await server.call("POST", "/v2/subscribers", { subscriberId });
    const session = (await server.call("POST", "/v1/inbox/session", { applicationIdentifier: server.dev.applicationIdentifier, subscriber: subscriberId }, { key: null })).body.data.token;
    const { _id } = (await server.call("GET", `/v2/workflows/p-${i}`)).body.data;
    for (const [value, path] of [[forAll, ""], [forOne, `/${_id}`]])
      if (value !== undefined) await server.call("PATCH", `/v1/inbox/preferences${path}`, { in_app: value }, { key: null, headers: { authorization: `Bearer ${session}` } });
    const { body } = await server.call("POST", "/v1/events/trigger", { name: `p-${i}`, to: subscriberId, payload: {} });
    const run = await feed(body.data.transactionId);
    assert.equal((await server.call("GET", `/v1/messages?transactionId=${body.data.transactionId}`)).body.data.length, detail ? 0 : 1, label);
    const said = run.jobs.flatMap((j) => j.executionDetails).filter((d) => d.detail.startsWith("Step filtered by"));
    assert.deepEqual(said.map((d) => [d.detail, d.status]), detail ? [[detail, "Success"]] : [], label);
  }
});
