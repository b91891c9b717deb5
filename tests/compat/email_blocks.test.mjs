// Block e-mails through @novu/api 3.19.1: variables, conditions, repetitions, preheader, and what makes them fail.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon, until } from "./carillon.mjs";
import { api } from "./clients.mjs";

let server, novu, n = 0;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

const text = (text) => ({ type: "text", text });
const variable = (id, attrs) => ({ type: "variable", attrs: { id, ...attrs } });
const paragraph = (...content) => ({ type: "paragraph", content });
const doc = (...content) => JSON.stringify({ type: "doc", content });

/** Creates a workflow of one e-mail and triggers it; gives the transaction. */
async function send(controlValues, payload = {}) {
  const workflowId = `blocks-${++n}`, transactionId = `t-${n}`;
  const { result } = await novu.workflows.create({
    name: workflowId, workflowId, active: true, steps: [{ name: "Mail", stepId: "mail", type: "email", controlValues }],
  });
  assert.equal(result.steps[0].controls.values.body, controlValues.body);
  await novu.trigger({ workflowId, to: { subscriberId: "ada", firstName: "Ada", email: "ada@example.com" }, payload, transactionId });
  return transactionId;
}

async function mail(controlValues, payload) {
  const [found] = await server.outbox(await send(controlValues, payload));
  const { body } = await server.call("GET", `/v1/outbox/${found._id ?? found.id}`);
  return body.data;
}

test("a block body becomes an HTML e-mail with a plain text part", async () => {
  const body = doc(
    { type: "heading", attrs: { level: 1 }, content: [text("Order {{payload.number}}")] },
    paragraph(text("Hello "), variable("subscriber.firstName"), text(" & "), variable("subscriber.lastName", { fallback: "friends" })),
    { type: "repeat", attrs: { each: "payload.items" }, content: [paragraph(variable("payload.items.name"), text(": "), variable("payload.items.count"))] },
    { type: "paragraph", attrs: { showIfKey: "payload.hidden" }, content: [text("never")] },
    { type: "button", attrs: { text: "Track", url: "payload.url", isUrlVariable: true, variant: "filled", buttonColor: "#000", textColor: "#fff" } },
  );
  const got = await mail(
    { subject: "Order {{payload.number}}", body, editorType: "block", preheader: "On its way, {{subscriber.firstName}}" },
    { number: 17, items: [{ name: "Pen's", count: 2 }, { name: "<Ink>", count: 1 }], hidden: false, url: "https://x.test/?a=1&b=2" },
  );
  assert.equal(got.subject, "Order 17");
  assert.match(got.html, /^<html dir="ltr" lang="en">/);
  assert.match(got.html, />Order 17<\/h1>/);
  assert.match(got.html, />Hello Ada &amp; friends<\/p>/);
  assert.match(got.html, />Pen's: 2<\/p><p [^>]*>&lt;Ink&gt;: 1<\/p>/);
  assert.match(got.html, /href="https:\/\/x\.test\/\?a=1&amp;b=2"/);
  assert.doesNotMatch(got.html, /never|\{\{|<!--/);
  assert.match(got.html, /<td style="margin:0"><div style="display:none;[^>]*>On its way, Ada</);
  assert.equal(got.text, "ORDER 17\n\nHello Ada & friends\n\nPen's: 2\n\n<Ink>: 1\n\nTrack https://x.test/?a=1&b=2");
});

test("what data says is text, and never markup or a template", async () => {
  const got = await mail({ subject: "s", body: doc(paragraph(variable("payload.x"))) }, { x: "<script>alert(1)</script>{{payload.x}}" });
  assert.match(got.html, />&lt;script&gt;alert\(1\)&lt;\/script&gt;\{\{payload\.x\}\}<\/p>/);
});

test("an HTML body is sent as written, without what could run", async () => {
  const got = await mail({ subject: "s", editorType: "html", body: "<p onclick=\"x()\">{{subscriber.firstName}}</p><script>x</script>" });
  assert.equal(got.html, "<p>Ada</p>");
});

test("a body that cannot be rendered fails the step and says why", async () => {
  const cases = [
    [doc({ type: "mystery" }), 'Node type "mystery" is not supported.'],
    [doc({ type: "repeat", attrs: { each: "payload.n" }, content: [] }),
      'Failed to parse iterable value for "{{ payload.n }}": Iterable "{{ payload.n }}" is not an array'],
  ];
  for (const [body, message] of cases) {
    const transactionId = await send({ subject: "s", body }, { n: 5 });
    const step = await until(async () => {
      const { result } = await novu.notifications.list({ transactionId });
      return result.data[0]?.jobs?.find((job) => job.type === "email" && job.status === "failed");
    }, "a failed step");
    const detail = step.executionDetails.find((d) => d.detail === "Message content could not be generated");
    assert.equal(detail?.status, "Failed");
    assert.equal(JSON.parse(detail.raw).error, message);
  }
});
