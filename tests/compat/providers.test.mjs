// What providers are asked, through CARILLON_DELIVERY_SINK: requests as their own SDKs make them (the worked examples of the
// provider notes), ids taken from their answers, and which failures are tried again.
import { after, before, beforeEach, describe, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac, createSign, createVerify, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, until } from "./carillon.mjs";
import { ada, api } from "./clients.mjs";

let server, novu, sink;
let got = [], answers = {};
const ok = (body = {}, status = 200, headers = {}) => ({ status, body, headers });

before(async () => {
  sink = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const [, host, path] = request.url.match(/^\/([^/]+)(\/.*)$/);
    const seen = { method: request.method, host, path, headers: request.headers, text, get body() { return JSON.parse(text); } };
    got.push(seen);
    const make = answers[host] ?? answers["*"];
    const { status, body, headers } = typeof make === "function" ? make(seen, got.length) : make ?? ok();
    response.writeHead(status, { "Content-Type": typeof body === "string" ? "text/plain" : "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(sink, "listening");
  server = await Carillon.start({ env: { CARILLON_DELIVERY_SINK: `http://127.0.0.1:${sink.address().port}` } });
  novu = api(server);
  for (const [workflowId, type, controlValues] of [
    ["email", "email", { subject: "Hi", body: "<p>Hi</p>", editorType: "html" }],
    ["sms", "sms", { body: "Hello Ada" }],
    ["push", "push", { subject: "Hi Ada", body: "Order 42 shipped" }],
    ["chat", "chat", { body: "Order 42 shipped" }],
    ["tool", "tool", { body: "Order 42 shipped" }],
  ]) await novu.workflows.create({ name: workflowId, workflowId, active: true, steps: [{ name: "Step", type, controlValues }] });
});
after(async () => {
  await server?.stop();
  sink?.closeAllConnections();
  sink?.close();
});

const integrations = [];
beforeEach(async () => {
  got = [];
  answers = {};
  for (const id of integrations.splice(0)) await server.call("DELETE", `/v1/integrations/${id}`);
});

let n = 0;
async function integration(providerId, channel, credentials, more = {}) {
  const { body, status, text } = await server.call("POST", "/v1/integrations", {
    providerId, channel, credentials, active: true, check: false, name: providerId, identifier: `${providerId}-${++n}`,
    configurations: { delivery: { attempts: 1, failover: false } }, ...more,
  });
  assert.equal(status, 201, text);
  integrations.push(body.data._id);
  return body.data;
}

const finished = ["completed", "failed", "canceled", "skipped"];
/** Triggers, and gives the message and the run once it has ended. */
async function send(workflowId, { to = ada, overrides, payload } = {}) {
  const transactionId = `t-${++n}`;
  const reply = await server.call("POST", "/v1/events/trigger", { name: workflowId, to, payload: payload ?? {}, transactionId, overrides });
  assert.equal(reply.status, 201, reply.text);
  const run = await until(async () => {
    const found = (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0];
    return found?.jobs.length && found.jobs.every((job) => finished.includes(job.status)) && found;
  }, "the run's end");
  const messages = (await server.call("GET", `/v1/messages?transactionId=${transactionId}`)).body.data;
  return { run, message: messages[0], messages, transactionId };
}
const phone = { subscriberId: "phone", phone: "+15551234567" };
const basic = (text) => `Basic ${Buffer.from(text).toString("base64")}`;
const form = (text) => Object.fromEntries(new URLSearchParams(text));
const details = ({ run }) => JSON.stringify(run.jobs.at(-1).executionDetails.map((d) => [d.detail, d.raw]));

describe("email", () => {
  const mail = { apiKey: "SG.k", from: "hello@acme.io", senderName: "Acme" };

  test("SendGrid", async () => {
    await integration("sendgrid", "email", mail);
    answers["api.sendgrid.com"] = ok("", 202, { "X-Message-Id": "sg-1" });
    const { message, transactionId } = await send("email");
    const [request] = got;
    assert.equal(`${request.method} ${request.path}`, "POST /v3/mail/send");
    assert.equal(request.headers.authorization, "Bearer SG.k");
    assert.equal(request.headers["content-type"], "application/json");
    assert.deepEqual(request.body, {
      from: { email: "hello@acme.io", name: "Acme" }, subject: "Hi", personalizations: [{ to: [{ email: ada.email }] }],
      content: [{ value: "<p>Hi</p>", type: "text/html" }], categories: ["email"],
      custom_args: { id: message._id, novuTransactionId: transactionId, novuMessageId: message._id, novuWorkflowIdentifier: "email", novuSubscriberId: "ada" },
    });
    assert.equal(message.identifier, message._id);
    assert.equal(message.status, "sent");
  });

  test("overrides are cased, merged and passed through", async () => {
    await integration("sendgrid", "email", mail);
    answers["*"] = ok("", 202);
    await send("email", { overrides: { providers: { sendgrid: {
      templateId: "d-1", category: "x", customArgs: { keepMe: 1 }, _passthrough: { body: { mail_settings: { a: 1 } }, headers: { "X-Own": "1", Authorization: "Bearer other" }, query: { q: "a b" } },
    } } } });
    const [{ body, headers, path }] = got;
    assert.deepEqual([body.template_id, body.categories, body.custom_args.keepMe, body.mail_settings], ["d-1", ["email", "x"], 1, { a: 1 }]);
    assert.deepEqual([headers["x-own"], headers.authorization, path], ["1", "Bearer other", "/v3/mail/send?q=a%20b"]);
  });

  test("Mailgun: multipart, with an attachment", async () => {
    await integration("mailgun", "email", { ...mail, apiKey: "k", user: "api", domain: "mg.acme.io" });
    answers["api.mailgun.net"] = ok({ id: "<2026@mg.acme.io>", message: "Queued. Thank you." });
    const { message } = await send("email", { payload: { attachments: [{ name: "f.txt", mime: "text/plain", file: Buffer.from("A").toString("base64") }] } });
    const [request] = got, boundary = request.headers["content-type"].match(/boundary=(\S+)/)[1];
    assert.equal(request.path, "/v3/mg.acme.io/messages");
    assert.equal(request.headers.authorization, basic("api:k"));
    const parts = request.text.split(`--${boundary}`).map((p) => p.trim());
    assert.ok(parts.includes('Content-Disposition: form-data; name="from"\r\n\r\nAcme <hello@acme.io>'), request.text);
    assert.ok(parts.includes('Content-Disposition: form-data; name="attachment"; filename="f.txt"\r\nContent-Type: text/plain\r\n\r\nA'), request.text);
    assert.equal(message.identifier, "<2026@mg.acme.io>");
  });

  test("Mailjet: wrapped, keys in its own case; Postmark, Resend, Mandrill, SparkPost, Brevo: ids", async () => {
    await integration("mailjet", "email", { ...mail, secretKey: "s" });
    answers["api.mailjet.com"] = ok({ Messages: [{ To: [{ MessageID: 576460 }] }] });
    assert.equal((await send("email")).message.identifier, "576460");
    assert.deepEqual(got[0].body.Messages[0].To, [{ Email: ada.email }]);
    assert.ok("HTMLPart" in got[0].body.Messages[0]);
    for (const [id, host, answer, identifier, headers] of [
      ["postmark", "api.postmarkapp.com", { ErrorCode: 0, MessageID: "pm-1" }, "pm-1", { "x-postmark-server-token": "SG.k" }],
      ["resend", "api.resend.com", { id: "re-1" }, "re-1", { authorization: "Bearer SG.k" }],
      ["mandrill", "mandrillapp.com", [{ status: "sent", _id: "md-1" }], "md-1", {}],
      ["sparkpost", "api.sparkpost.com", { results: { id: "sp-1" } }, "sp-1", { authorization: "SG.k" }],
      ["sendinblue", "api.brevo.com", { messageId: "<br-1>" }, "<br-1>", { "api-key": "SG.k" }],
      ["mailersend", "api.mailersend.com", "", "ms-1", { authorization: "Bearer SG.k" }],
    ]) {
      const made = await integration(id, "email", mail);
      await server.call("POST", `/v1/integrations/${made._id}/set-primary`);
      answers = { [host]: ok(answer, 200, { "X-Message-Id": "ms-1" }) };
      got = [];
      const { message } = await send("email");
      assert.equal(message.identifier, identifier, id);
      for (const [name, value] of Object.entries(headers)) assert.equal(got[0].headers[name], value, id);
    }
  });

  test("all that a trigger may say of a mail reaches the provider", async () => {
    await integration("postmark", "email", mail);
    answers["api.postmarkapp.com"] = ok({ ErrorCode: 0, MessageID: "pm-2" });
    const b64 = (text) => Buffer.from(text).toString("base64");
    await send("email", {
      payload: { attachments: [{ name: "f.txt", mime: "text/plain", file: b64("A") }, { name: "l.png", mime: "image/png", file: b64("B"), cid: "logo" }] },
      overrides: { email: { from: "other@acme.io", senderName: "Other, Inc.", cc: ["cc@example.com"], bcc: ["bcc@example.com"], replyTo: "reply@acme.io", headers: { "X-Campaign": "c1" } },
        providers: { postmark: { messageStream: "broadcast" } } },
    });
    const { TextBody, ...body } = got[0].body;
    assert.equal(TextBody.trim(), "Hi");
    assert.deepEqual(body, {
      From: '"Other, Inc." <other@acme.io>', To: ada.email, Cc: "cc@example.com", Bcc: "bcc@example.com", ReplyTo: "reply@acme.io", Subject: "Hi", HtmlBody: "<p>Hi</p>",
      Headers: [{ Name: "X-Campaign", Value: "c1" }], MessageStream: "broadcast",
      Attachments: [{ Name: "f.txt", Content: b64("A"), ContentType: "text/plain" }, { Name: "l.png", Content: b64("B"), ContentType: "image/png", ContentID: "cid:logo" }],
    });
  });

  test("a webhook for mail: signed, with attachments as receivers know them", async () => {
    await integration("email-webhook", "email", { webhookUrl: "https://hook.example.com/mail", secretKey: "s3cr3t", from: "hello@acme.io", senderName: "Acme" });
    const { message } = await send("email", { payload: { attachments: [{ name: "f.txt", mime: "text/plain", file: Buffer.from("A").toString("base64") }] } });
    const [{ body, headers, text }] = got;
    assert.equal(headers["x-novu-signature"], createHmac("sha256", "s3cr3t").update(text).digest("hex"));
    assert.deepEqual([body.to, body.subject, body.html, body.from, body.id], [[ada.email], "Hi", "<p>Hi</p>", "hello@acme.io", message._id]);
    assert.deepEqual(body.attachments.map((a) => [a.name, a.mime, Buffer.from(a.file).toString()]), [["f.txt", "text/plain", "A"]]);
    assert.equal(message.identifier, message._id);
  });

  test("SES: the whole mail, signed", async () => {
    await integration("ses", "email", { apiKey: "AKIDEXAMPLE", secretKey: "secret", region: "eu-west-1", from: "hello@acme.io", senderName: "Acme" });
    answers["email.eu-west-1.amazonaws.com"] = ok("<SendRawEmailResponse><SendRawEmailResult><MessageId>0102-1</MessageId></SendRawEmailResult></SendRawEmailResponse>");
    const { message } = await send("email");
    const fields = form(got[0].text), mime = Buffer.from(fields["RawMessage.Data"], "base64").toString();
    assert.deepEqual([fields.Action, fields.Version, fields.Source, fields["Destinations.member.1"]], ["SendRawEmail", "2010-12-01", "hello@acme.io", ada.email]);
    assert.match(mime, /^From: Acme <hello@acme.io>\r$/m);
    assert.match(got[0].headers.authorization, /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/ses\/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/);
    assert.equal(message.identifier, "<0102-1@eu-west-1.amazonses.com>");
  });
});

test("credentials are asked about where that sends nothing", async () => {
  answers["api.sendgrid.com"] = ({ headers }) => headers.authorization === "Bearer good" ? ok({ scopes: [] }) : ok({ errors: [{ message: "authorization required" }] }, 401);
  const make = (apiKey) => server.call("POST", "/v1/integrations", {
    providerId: "sendgrid", channel: "email", active: true, check: true, name: "x", credentials: { apiKey, from: "a@b.c", senderName: "A" } });
  const bad = await make("bad-key");
  assert.equal(bad.status, 400);
  assert.match(bad.body.message, /authorization required/);
  const good = await make("good");
  assert.equal(good.status, 201, good.text);
  integrations.push(good.body.data._id);
  assert.deepEqual(got.map((r) => `${r.method} ${r.path}`), ["GET /v3/scopes", "GET /v3/scopes"]);
});

describe("sms", () => {
  test("Twilio", async () => {
    await integration("twilio", "sms", { accountSid: "AC0", token: "tok", from: "+15550001111" });
    answers["api.twilio.com"] = ok({ sid: "SM1" }, 201);
    const { message } = await send("sms", { to: phone });
    const [request] = got;
    assert.equal(request.path, "/2010-04-01/Accounts/AC0/Messages.json");
    assert.equal(request.headers.authorization, "Basic QUMwOnRvaw==");
    assert.equal(request.text, "To=%2B15551234567&From=%2B15550001111&Body=Hello%20Ada");
    assert.equal(message.identifier, "SM1");
    got = [];
    await send("sms", { to: phone, overrides: { providers: { twilio: { messagingServiceSid: "MG1", mediaUrl: ["https://a/1", "https://a/2"] } } } });
    assert.equal(got[0].text, "To=%2B15551234567&Body=Hello%20Ada&MessagingServiceSid=MG1&MediaUrl=https%3A%2F%2Fa%2F1&MediaUrl=https%3A%2F%2Fa%2F2");
  });

  test("SNS: the query form of AWS", async () => {
    await integration("sns", "sms", { apiKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "eu-west-1" });
    answers["sns.eu-west-1.amazonaws.com"] = ok('<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>');
    const { message } = await send("sms", { to: phone, overrides: { providers: { sns: { messageAttributes: { "AWS.SNS.SMS.SenderID": { dataType: "String", stringValue: "Acme" } } } } } });
    assert.equal(message.identifier, "m-1");
    assert.ok(got[0].text.startsWith("Action=Publish&Version=2010-03-31&PhoneNumber=%2B15551234567&Message=Hello%20Ada&MessageAttributes.entry.1.Name="), got[0].text);
    assert.ok(got[0].text.includes("MessageAttributes.entry.1.Value.DataType=String"), got[0].text);
  });

  test("Azure: its HMAC", async () => {
    const key = "QUJDREVGRw==";
    await integration("azure-sms", "sms", { accessKey: `endpoint=https://r.communication.azure.com/;accesskey=${key}`, from: "+15550001111" });
    answers["r.communication.azure.com"] = ok({ value: [{ successful: true, messageId: "az-1" }] }, 202);
    const { message } = await send("sms", { to: phone });
    const { headers, path, text, body } = got[0];
    const signature = createHmac("sha256", Buffer.from(key, "base64"))
      .update(`POST\n${path}\n${headers["x-ms-date"]};r.communication.azure.com;${headers["x-ms-content-sha256"]}`).digest("base64");
    assert.equal(headers.authorization, `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`);
    assert.match(body.smsRecipients[0].repeatabilityRequestId, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    assert.ok(text.includes('"smsSendOptions":{"enableDeliveryReport":false}'));
    assert.equal(message.identifier, "az-1");
  });

  test("RingCentral: a token that is fetched once, and again when it is refused", async () => {
    await integration("ring-central", "sms", { clientId: "id", secretKey: "secret", token: "jwt", from: "+15550001111" });
    let tokens = 0, refuse = false;
    answers["platform.ringcentral.com"] = ({ path, headers }) => {
      if (path === "/restapi/oauth/token") return ok({ access_token: `at-${++tokens}`, expires_in: 3600 });
      if (refuse && headers.authorization === "Bearer at-1") return ok({ message: "expired" }, 401);
      return ok({ id: 4711 });
    };
    assert.equal((await send("sms", { to: phone })).message.identifier, "4711");
    assert.deepEqual(got.map((r) => r.path), ["/restapi/oauth/token", "/restapi/v1.0/account/~/extension/~/sms"]);
    assert.equal(got[0].headers.authorization, basic("id:secret"));
    assert.deepEqual(form(got[0].text), { assertion: "jwt", grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer" });
    refuse = true;
    await send("sms", { to: phone });
    assert.deepEqual(got.slice(2).map((r) => r.headers.authorization), ["Bearer at-1", basic("id:secret"), "Bearer at-2"]);
  });

  test("an SMS gateway of one's own: the id where its path says, a token first", async () => {
    await integration("generic-sms", "sms", { baseUrl: "https://gw.example.com/send", apiKeyRequestHeader: "x-key", apiKey: "k", idPath: "data.id", from: "Acme",
      authenticateByToken: true, domain: "https://gw.example.com/token", authenticationTokenKey: "auth" });
    answers["gw.example.com"] = ({ path }) => path === "/token" ? ok({ data: { auth: "tok" } }) : ok({ data: { id: "g-1" } });
    const { message } = await send("sms", { to: phone });
    assert.deepEqual([got[0].headers["x-key"], got[1].headers["x-key"], got[1].headers.auth], ["k", "k", "tok"]);
    assert.deepEqual([got[1].body.to, got[1].body.content, got[1].body.sender], ["+15551234567", "Hello Ada", "Acme"]);
    assert.equal(message.identifier, "g-1");
  });

  test("more providers: where the number, the text and the id are", async () => {
    for (const [id, credentials, answer, expected] of [
      ["nexmo", { apiKey: "k", secretKey: "s", from: "Acme" }, { messages: [{ status: "0", "message-id": "n-1" }] }, ["POST", "rest.nexmo.com", "/sms/json", "n-1"]],
      ["plivo", { accountSid: "MA", token: "t", from: "Acme" }, ok({ message_uuid: ["p-1"] }, 202), ["POST", "api.plivo.com", "/v1/Account/MA/Message/", "p-1"]],
      ["telnyx", { apiKey: "k", messageProfileId: "mp", from: "Acme" }, { data: { id: "t-1" } }, ["POST", "api.telnyx.com", "/v2/messages", "t-1"]],
      ["messagebird", { accessKey: "k", from: "Acme" }, ok({ id: "mb-1" }, 201), ["POST", "rest.messagebird.com", "/messages", "mb-1"]],
      ["sinch", { servicePlanId: "sp", apiToken: "t", region: "us", from: "Acme" }, ok({ id: "s-1" }, 201), ["POST", "us.sms.api.sinch.com", "/xms/v1/sp/batches", "s-1"]],
      ["clicksend", { user: "u", apiKey: "k", from: "Acme" }, { response_code: "SUCCESS", data: { messages: [{ message_id: "c-1" }] } }, ["POST", "rest.clicksend.com", "/v3/sms/send", "c-1"]],
      ["firetext", { apiKey: "k", from: "Acme" }, ok("0:1 SMS successfully queued", 200, { "X-Message": "f-1" }), ["GET", "www.firetext.co.uk", "/api/sendsms?apiKey=k&to=%2B15551234567&from=Acme&message=Hello%20Ada", "f-1"]],
      ["gupshup", { user: "u", password: "p" }, ok("success | 919 | gs-1"), ["POST", "enterprise.smsgupshup.com", "/GatewayAPI/rest", "gs-1"]],
      ["infobip-sms", { baseUrl: "https://x.api.infobip.com", apiKey: "k", from: "Acme" }, { messages: [{ messageId: "a" }, { messageId: "ib-1" }] }, ["POST", "x.api.infobip.com", "/sms/2/text/advanced", "ib-1"]],
      ["africas-talking", { apiKey: "k", user: "sandbox", from: "Acme" }, ok({ SMSMessageData: { Recipients: [{ statusCode: 101, messageId: "at-1" }] } }, 201), ["POST", "api.sandbox.africastalking.com", "/version1/messaging", "at-1"]],
      ["termii", { apiKey: "k", from: "Acme" }, { message_id: "te-1" }, ["POST", "api.ng.termii.com", "/api/sms/send", "te-1"]],
      ["bulk-sms", { apiToken: "a:b", from: "Acme" }, ok([{ id: "bs-1" }], 201), ["POST", "api.bulksms.com", "/v1/messages", "bs-1"]],
    ]) {
      const made = await integration(id, "sms", credentials);
      await server.call("POST", `/v1/integrations/${made._id}/set-primary`);
      answers = { "*": answer.status ? answer : ok(answer) };
      got = [];
      const { message, run } = await send("sms", { to: phone });
      assert.deepEqual([got[0]?.method, got[0]?.host, got[0]?.path, message.identifier], expected, `${id} ${details({ run })}`);
    }
  });
});

describe("push", () => {
  const device = (providerId, integrationIdentifier, deviceTokens) => novu.subscribers.credentials.update({ providerId, integrationIdentifier, credentials: { deviceTokens } }, "device");
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });

  test("FCM: a token for the service account's own JWT; a dead device is forgotten", async () => {
    await novu.subscribers.create({ subscriberId: "device" });
    const made = await integration("fcm", "push", { serviceAccount: JSON.stringify({ project_id: "acme", client_email: "a@acme.iam", private_key: privateKey }) });
    await device("fcm", made.identifier, ["tok-1"]);
    answers["oauth2.googleapis.com"] = ok({ access_token: "ya29", expires_in: 3600 });
    answers["fcm.googleapis.com"] = ok({ name: "projects/acme/messages/0:1" });
    const { message } = await send("push", { to: "device", overrides: { fcm: { android: { ttl: 3600000, notification: { channelId: "orders" } } } } });
    const [token, sent] = got, [head, claims, signature] = form(token.text).assertion.split(".");
    assert.deepEqual(JSON.parse(Buffer.from(head, "base64url")), { alg: "RS256", typ: "JWT" });
    assert.equal(JSON.parse(Buffer.from(claims, "base64url")).iss, "a@acme.iam");
    assert.ok(createVerify("RSA-SHA256").update(`${head}.${claims}`).verify(publicKey, Buffer.from(signature, "base64url")));
    assert.equal(sent.path, "/v1/projects/acme/messages:send");
    assert.equal(sent.headers.authorization, "Bearer ya29");
    assert.deepEqual(sent.body, { message: { token: "tok-1", notification: { title: "Hi Ada", body: "Order 42 shipped" }, android: { ttl: "3600s", notification: { channel_id: "orders" } } } });
    assert.equal(message.identifier, "projects/acme/messages/0:1");
    answers["fcm.googleapis.com"] = ok({ error: { code: 404, message: "Requested entity was not found.", status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } }, 404);
    await send("push", { to: "device" });
    const left = (await server.call("GET", "/v2/subscribers/device")).body.data.channels;
    assert.deepEqual(left.flatMap((c) => c.credentials.deviceTokens ?? []), []);
  });

  test("the number of unread or unseen messages goes along as the badge, unless the trigger says another; what a digest gave, too", async () => {
    const wrong = await server.call("POST", "/v1/integrations", { providerId: "fcm", channel: "push", check: false, configurations: { inboxCount: "all" } });
    assert.equal(wrong.status, 422);
    assert.match(wrong.text, /configurations\.inboxCount must be one of the following values: none, unread, unseen/);
    await novu.subscribers.create({ subscriberId: "badge" });
    await novu.workflows.create({ name: "bell", workflowId: "bell", active: true, steps: [{ name: "b", type: "in_app", controlValues: { body: "b" } }] });
    for (let i = 0; i < 3; i++) await send("bell", { to: "badge" });
    const [first, second] = (await server.call("GET", "/v1/messages?subscriberId=badge")).body.data;
    await server.call("POST", "/v1/subscribers/badge/messages/mark-as", { messageId: first._id, markAs: "read" });
    await server.call("POST", "/v1/subscribers/badge/messages/mark-as", { messageId: [second._id], markAs: "seen" });
    const credentials = { serviceAccount: JSON.stringify({ project_id: "acme", client_email: "a@acme.iam", private_key: privateKey }) };
    const delivery = { attempts: 1, failover: false };
    for (const [inboxCount, overrides, android, apns] of [
      ["unread", undefined, { notification: { notification_count: 2 } }, { payload: { aps: { badge: 2 } } }],
      ["unseen", undefined, { notification: { notification_count: 1 } }, { payload: { aps: { badge: 1 } } }],
      ["unread", { fcm: { android: { notification: { notificationCount: 7 } }, apns: { payload: { aps: { badge: 8 } } } } },
        { notification: { notification_count: 7 } }, { payload: { aps: { badge: 8 } } }],
      ["none", undefined, undefined, undefined],
    ]) {
      const made = await integration("fcm", "push", credentials, { configurations: { delivery, inboxCount } });
      await novu.subscribers.credentials.update({ providerId: "fcm", integrationIdentifier: made.identifier, credentials: { deviceTokens: ["tok-b"] } }, "badge");
      got = [];
      answers = { "oauth2.googleapis.com": ok({ access_token: "ya29", expires_in: 3600 }), "fcm.googleapis.com": ok({ name: "projects/acme/messages/0:1" }) };
      await send("push", { to: "badge", overrides });
      const { message } = got.find((r) => r.host === "fcm.googleapis.com").body;
      assert.deepEqual([message.android, message.apns], [android, apns], `${inboxCount}`);
      await server.call("DELETE", `/v1/integrations/${made._id}`);
    }
    await novu.workflows.create({ name: "digested", workflowId: "digested", active: true, steps: [
      { name: "d", type: "digest", controlValues: { amount: 1, unit: "seconds" } }, { name: "p", type: "push", controlValues: { subject: "s", body: "b" } }] });
    const made = await integration("push-webhook", "push", { webhookUrl: "https://hook.example.com/hook", secretKey: "s" });
    await novu.subscribers.credentials.update({ providerId: "push-webhook", integrationIdentifier: made.identifier, credentials: { deviceTokens: ["t"] } }, "badge");
    got = [];
    answers = { "*": ok({ id: "1" }) };
    await send("digested", { to: "badge", payload: { n: 1 } });
    assert.deepEqual(got[0].body.payload.step, { digest: true, events: [{ n: 1 }], total_count: 1 });
    await server.call("DELETE", `/v1/integrations/${made._id}`);
  });

  test("APNs over the sink, Expo, OneSignal, and a webhook of one's own", async () => {
    const { privateKey: p8 } = generateKeyPairSync("ec", { namedCurve: "P-256", publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });
    const apns = await integration("apns", "push", { secretKey: p8, apiKey: "KID", projectName: "TEAM", applicationId: "io.acme.app", secure: true });
    await device("apns", apns.identifier, ["abc"]);
    answers["api.push.apple.com"] = ok("", 200, { "apns-id": "u-1" });
    const { message } = await send("push", { to: "device", payload: { orderId: "42" } });
    assert.equal(got[0].path, "/3/device/abc");
    assert.deepEqual([got[0].headers["apns-topic"], got[0].headers["apns-collapse-id"], got[0].headers["apns-push-type"]], ["io.acme.app", message._id, "alert"]);
    assert.deepEqual(got[0].body, { orderId: "42", aps: { alert: { body: "Order 42 shipped", title: "Hi Ada" } } });
    assert.equal(JSON.parse(Buffer.from(got[0].headers.authorization.slice(7).split(".")[0], "base64url")).kid, "KID");
    await server.call("DELETE", `/v1/integrations/${apns._id}`);
    for (const [id, credentials, answer, identifier, check] of [
      ["expo", { apiKey: "e" }, { data: [{ status: "ok", id: "ex-1" }] }, "ex-1", (r) => assert.deepEqual([r.path, r.body[0].to, r.body[0].title], ["/--/api/v2/push/send", ["tok-9"], "Hi Ada"])],
      ["one-signal", { apiKey: "o", applicationId: "app" }, { id: "os-1" }, "os-1", (r) => assert.deepEqual([r.body.include_player_ids, r.body.contents], [["tok-9"], { en: "Order 42 shipped" }])],
      ["push-webhook", { webhookUrl: "https://hook.example.com/hook", secretKey: "s3cr3t" }, { id: "pw-1" }, "pw-1", (r) => {
        assert.equal(r.headers["x-novu-signature"], createHmac("sha256", "s3cr3t").update(r.text).digest("hex"));
        assert.deepEqual([r.body.target, r.body.payload.orderId, r.body.payload.subscriber.subscriberId], [["tok-9"], "42", "device"]);
      }],
    ]) {
      const made = await integration(id, "push", credentials);
      await device(id, made.identifier, ["tok-9"]);
      answers = { "*": ok(answer) };
      got = [];
      const sent = await send("push", { to: "device", payload: { orderId: "42" } });
      assert.equal(sent.message.identifier, identifier, id);
      check(got[0]);
      await server.call("DELETE", `/v1/integrations/${made._id}`);
    }
  });
});

describe("chat", () => {
  const endpoint = async (providerId, credentials, type, data, auth) => {
    const made = await integration(providerId, "chat", credentials);
    const subscriberId = `chat-${++n}`;
    await novu.subscribers.create({ subscriberId });
    if (auth) {
      const reply = await server.call("POST", "/v1/channel-connections", { integrationIdentifier: made.identifier, subscriberId, workspace: { id: "T1" }, auth });
      assert.equal(reply.status, 201, reply.text);
    }
    const reply = await server.call("POST", "/v1/channel-endpoints", { integrationIdentifier: made.identifier, subscriberId, type, endpoint: data });
    assert.equal(reply.status, 201, reply.text);
    return subscriberId;
  };

  test("Slack: the connection's token; ok:false is a failure; an incoming webhook says ok", async () => {
    const to = await endpoint("slack", { applicationId: "a", clientId: "c", secretKey: "s" }, "slack_channel", { channelId: "C012AB3CD" }, { accessToken: "xoxb-1" });
    answers["slack.com"] = ok({ ok: true, ts: "1" }, 200, { "x-slack-req-id": "req-1" });
    const { message } = await send("chat", { to });
    assert.equal(got[0].path, "/api/chat.postMessage");
    assert.equal(got[0].headers.authorization, "Bearer xoxb-1");
    assert.deepEqual(got[0].body, { text: "Order 42 shipped", channel: "C012AB3CD" });
    assert.equal(message.identifier, "req-1");
    answers["slack.com"] = ok({ ok: false, error: "channel_not_found" });
    const failed = await send("chat", { to });
    assert.ok(details(failed).includes("Slack API Error: channel_not_found"), details(failed));
  });

  test("Discord, Telegram, WhatsApp", async () => {
    const discord = await endpoint("discord", {}, "webhook", { url: "https://discord.com/api/webhooks/1/x" });
    answers["*"] = ok({ id: "d-1" });
    assert.equal((await send("chat", { to: discord })).message.identifier, "d-1");
    assert.deepEqual([got[0].path, got[0].body], ["/api/webhooks/1/x?wait=true", { content: "Order 42 shipped" }]);
    const telegram = await endpoint("telegram", { apiToken: "1:a" }, "telegram_chat", { chatId: "77" });
    answers["*"] = ok({ ok: true, result: { message_id: 5 } });
    got = [];
    assert.equal((await send("chat", { to: telegram })).message.identifier, "5");
    assert.deepEqual([got[0].path, got[0].body], ["/bot1:a/sendMessage", { chat_id: "77", text: "Order 42 shipped" }]);
    await integration("whatsapp-business", "chat", { apiToken: "w", phoneNumberIdentification: "100" });
    answers["*"] = ok({ messages: [{ id: "wamid.1" }] });
    got = [];
    const { message } = await send("chat", { to: phone });
    assert.equal(message.identifier, "wamid.1");
    assert.deepEqual(got[0].body, { messaging_product: "whatsapp", recipient_type: "individual", to: "+15551234567", type: "text", text: { body: "Order 42 shipped", preview_url: false } });
  });
});

describe("what a trigger says beside the text", () => {
  test("SMS: another sender, and data of the provider's own", async () => {
    await integration("gupshup", "sms", { user: "u", password: "p-secret" });
    answers["*"] = ok("success | 1 | gs-1");
    await send("sms", { to: phone, overrides: { sms: { customData: { principalEntityId: "pe", dltTemplateId: "dlt" } } } });
    const { principalEntityId, dltTemplateId, send_to } = form(got[0].text);
    assert.deepEqual([principalEntityId, dltTemplateId, send_to], ["pe", "dlt", "+15551234567"]);
    await integration("telnyx", "sms", { apiKey: "k-secret", messageProfileId: "mp", from: "Acme" }).then((x) => server.call("POST", `/v1/integrations/${x._id}/set-primary`));
    answers["*"] = ok({ data: { id: "t-1" } });
    await send("sms", { to: phone, overrides: { sms: { from: "Other" } } });
    assert.equal(got.at(-1).body.from, "Other");
  });

  test("tools: an alert of a service of the subscriber's, told of again as the same one", async () => {
    const made = await integration("pagerduty", "tool", {});
    await novu.subscribers.create({ subscriberId: "on-call" });
    const reply = await server.call("POST", "/v1/channel-endpoints", { integrationIdentifier: made.identifier, subscriberId: "on-call", type: "pagerduty_service", endpoint: { routingKey: "r-secret-key", region: "eu" } });
    assert.equal(reply.status, 201, reply.text);
    answers["*"] = ok({ status: "success", dedup_key: "d-1" }, 202);
    const { message, transactionId, run } = await send("tool", { to: "on-call", overrides: { providers: { pagerduty: { severity: "warning", orderId: "42" } } } });
    assert.equal(got.length, 1, details({ run }));
    assert.equal(`${got[0].host}${got[0].path}`, "events.eu.pagerduty.com/v2/enqueue");
    const { dedup_key, ...body } = got[0].body;
    assert.deepEqual(body, { routing_key: "r-secret-key", event_action: "trigger",
      payload: { summary: "Order 42 shipped", source: "novu", severity: "warning", custom_details: { order_id: "42" } } });
    assert.ok(dedup_key.startsWith(`novu:${transactionId}:on-call:`), dedup_key);
    assert.equal(message.identifier, "d-1");
    answers["*"] = ok({ status: "invalid event", errors: ["no service has r-secret-key"] }, 400);
    const failed = await send("tool", { to: "on-call" });
    assert.ok(details(failed).includes("no service has ***"), details(failed));
  });
});

describe("reports", () => {
  const dir = mkdtempSync(join(tmpdir(), "carillon-cert-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const report = (made, body, headers = {}) => fetch(`${server.url}/v2/inbound-webhooks/delivery-providers/${server.dev._id}/${made._id}`, {
    method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) }).then(async (r) => ({ status: r.status, body: await r.json() }));

  test("SendGrid: signed with its key, matched by our own id", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const made = await integration("sendgrid", "email", { apiKey: "k", from: "a@acme.io", senderName: "A" }, {
      configurations: { inboundWebhookEnabled: true, inboundWebhookSigningKey: publicKey.export({ type: "spki", format: "der" }).toString("base64"), delivery: { attempts: 1 } } });
    answers["*"] = ok("", 202);
    const { message } = await send("email");
    const body = JSON.stringify([{ id: message._id, event: "delivered", timestamp: 1767323045, response: "250 OK" }, { id: message._id, event: "open" }, { id: message._id, event: "processed" }]);
    const timestamp = "1767323045";
    const signature = createSign("sha256").update(timestamp + body).sign(privateKey, "base64");
    const headers = { "X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": timestamp };
    assert.equal((await report(made, body)).status, 401);
    assert.equal((await report(made, body + " ", headers)).status, 401);
    assert.equal((await report(made, body, { ...headers, "X-Twilio-Email-Event-Webhook-Timestamp": "1767323046" })).status, 401);
    const good = await report(made, body, headers);
    assert.equal(good.status, 200);
    assert.deepEqual(good.body.data.map((x) => [x.id, x.event.status]), [[message._id, "delivered"], [message._id, "opened"]]);
    assert.equal(good.body.data[0].event.response, "250 OK");
  });

  test("SES: through SNS, whose certificate is Amazon's, and which is confirmed once", async () => {
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem"), "-subj", "/CN=sns", "-days", "2"], { stdio: "ignore" });
    const key = readFileSync(join(dir, "key.pem")), cert = readFileSync(join(dir, "cert.pem"), "utf8");
    const made = await integration("ses", "email", { apiKey: "AKID", secretKey: "s", region: "eu-west-1", from: "a@acme.io", senderName: "A" }, {
      configurations: { inboundWebhookEnabled: true, delivery: { attempts: 1 } } });
    answers["email.eu-west-1.amazonaws.com"] = ok("<SendRawEmailResponse><SendRawEmailResult><MessageId>0102-9</MessageId></SendRawEmailResult></SendRawEmailResponse>");
    answers["sns.eu-west-1.amazonaws.com"] = ({ path }) => path.endsWith(".pem") ? ok(cert) : ok("<ok/>");
    await send("email");
    got = [];
    const event = JSON.stringify({ eventType: "Bounce", bounce: { bounceType: "Permanent" }, mail: { messageId: "0102-9", timestamp: "2026-01-02T03:04:05.000Z", sourceArn: "arn:aws:ses:eu-west-1:1:identity/acme.io" } });
    const sns = (more = {}, sign = true) => {
      const m = { Type: "Notification", MessageId: "1", TopicArn: "arn:aws:sns:eu-west-1:1:ses", Timestamp: new Date().toISOString(), SignatureVersion: "2",
        SigningCertURL: "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem", Message: event, ...more };
      const names = m.Type === "Notification" ? ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"] : ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
      const text = names.filter((k) => k in m).map((k) => `${k}\n${m[k]}\n`).join("");
      return { ...m, Signature: sign ? createSign(m.SignatureVersion === "1" ? "sha1" : "sha256").update(text).sign(key, "base64") : "AAAA" };
    };
    for (const [bad, says] of [
      [sns({}, false), "signature"], [{ ...sns(), Message: event.replace("Permanent", "Transient") }, "signature"],
      [sns({ SigningCertURL: "https://sns.evil.example/x.pem" }), "certificate"], [sns({ SigningCertURL: "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem" }), "certificate"],
      [sns({ SigningCertURL: "http://sns.eu-west-1.amazonaws.com/x.pem" }), "certificate"], [sns({ SigningCertURL: "https://x@sns.eu-west-1.amazonaws.com/x.pem" }), "certificate"],
      [sns({ Timestamp: "2026-01-02T03:04:05.000Z" }), "too old"], [sns({ TopicArn: "arn:aws:sns:us-east-1:1:ses" }), "another region"],
      [sns({ Type: "SubscriptionConfirmation", Token: "t", SubscribeURL: "https://evil.example/" }), "subscription"], [{ Type: "Notification" }, "missing"],
    ]) {
      const reply = await report(made, bad, { "Content-Type": "text/plain; charset=UTF-8" });
      assert.deepEqual([reply.status, reply.body.message.includes(says)], [401, true], JSON.stringify(reply.body));
    }
    const confirmed = await report(made, sns({ Type: "SubscriptionConfirmation", Token: "t", SubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t" }));
    assert.equal(confirmed.status, 200);
    assert.equal(got.at(-1).path, "/?Action=ConfirmSubscription&Token=t");
    got = [];
    for (const version of ["1", "2"]) {
      const good = await report(made, sns({ SignatureVersion: version }), { "Content-Type": "text/plain; charset=UTF-8" });
      assert.equal(good.status, 200, JSON.stringify(good.body));
      assert.deepEqual(good.body.data.map((x) => [x.id, x.event.status, x.event.response]), [["<0102-9@eu-west-1.amazonses.com>", "bounced", "Permanent"]]);
    }
    assert.equal(got.length, 0, "the certificate is kept");
  });
});

describe("failures", () => {
  const twilio = { accountSid: "AC0", token: "s3cr3t-token", from: "+15550001111" };

  test("a refusal is final and says why, without secrets", async () => {
    await integration("twilio", "sms", twilio, { configurations: { delivery: { attempts: 3, failover: false } } });
    answers["api.twilio.com"] = ok({ code: 21211, message: "Invalid 'To' number for s3cr3t-token", status: 400 }, 400);
    const failed = await send("sms", { to: phone });
    assert.ok(details(failed).includes("Invalid 'To' number for ***"), details(failed));
    assert.ok(!JSON.stringify(failed).includes("s3cr3t-token"));
    assert.equal(got.length, 1);
  });

  test("429, 5xx and time-outs are tried again, with the same id", async () => {
    await integration("resend", "email", { apiKey: "k-1234", from: "a@acme.io", senderName: "A" }, { configurations: { delivery: { attempts: 3, failover: false, baseDelayMs: 1, firstDelayMs: 1 } } });
    answers["api.resend.com"] = (request, i) => i === 1 ? ok({ message: "busy" }, 503) : ok({ id: "re-2" });
    const transactionId = `t-${++n}`;
    await novu.trigger({ workflowId: "email", to: ada, transactionId });
    await until(() => got.length === 1, "the first attempt");
    const run = await until(async () => (await server.call("GET", `/v1/notifications?transactionId=${transactionId}`)).body.data[0], "the run");
    assert.ok(["delayed", "completed", "running", "queued", "pending"].includes(run.jobs.at(-1).status), run.jobs.at(-1).status);
    await until(() => got.length === 2, "the second attempt", 60000);
    assert.equal(got[0].headers["idempotency-key"], got[1].headers["idempotency-key"]);
  });

  test("what is missing is said before anything is asked", async () => {
    await integration("pusher-beams", "push", { instanceId: "", secretKey: "" }).catch(() => {});
    await integration("sinch", "sms", { servicePlanId: "sp", apiToken: "t", region: "mars", from: "Acme" });
    const failed = await send("sms", { to: phone });
    assert.match(failed.message.errorText, /"mars" is not a value that this setting can have/);
    assert.equal(got.length, 0);
  });
});
