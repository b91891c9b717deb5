// E-mail through a real SMTP server: STARTTLS, TLS from the first byte, authentication, refusals.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Carillon, until } from "./carillon.mjs";
import { ada, api, order, orderShipped } from "./clients.mjs";

const dir = mkdtempSync(join(tmpdir(), "carillon-smtp-"));
const [certificate, key] = [join(dir, "cert.pem"), join(dir, "key.pem")];
const sinks = [];
let server, novu, ca;

before(async () => {
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate,
  ], { stdio: "ignore" });
  ca = readFileSync(certificate, "utf8");
  server = await Carillon.start();
  novu = api(server);
  await novu.workflows.create({ ...orderShipped, steps: [orderShipped.steps[1]] });
});
after(async () => {
  sinks.forEach((sink) => sink.stop());
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Starts the test server of tests/support; {port, mails, stop}. */
async function startSink(...options) {
  const script = fileURLToPath(new URL("../support/smtp_sink.py", import.meta.url));
  const child = spawn("/usr/bin/python3", [script, "--cert", certificate, "--key", key, ...options], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const mails = [];
  const port = await new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error("the SMTP sink did not start")));
    lines.once("line", (line) => {
      lines.on("line", (mail) => mails.push(JSON.parse(mail)));
      resolve(Number(line));
    });
  });
  const sink = { port, mails, stop: () => child.stdin.end() };
  sinks.push(sink);
  return sink;
}

let integration; // the one that is configured now
async function configure(sink, credentials = {}) {
  if (integration) await novu.integrations.delete(integration);
  // By hand: the client's type of tlsOptions drops its members.
  const { status, body, text } = await server.call("POST", "/v1/integrations", {
    providerId: "nodemailer", channel: "email", name: "Relay", active: true, check: false,
    credentials: {
      host: "localhost", port: String(sink.port), from: "shop@example.com", senderName: "The Shop", secure: false,
      tlsOptions: { ca }, ...credentials,
    },
  });
  assert.equal(status, 201, text);
  integration = body.data._id;
  return body.data;
}

let n = 0;
async function send() {
  const transactionId = `t-smtp-${++n}`;
  await novu.trigger({ workflowId: "order-shipped", to: ada, payload: order, transactionId });
  return transactionId;
}
const job = (transactionId, ...statuses) =>
  until(async () => {
    const { result } = await novu.notifications.list({ transactionId });
    const found = result.data[0]?.jobs?.find((j) => j.type === "email");
    return statuses.includes(found?.status) && found;
  }, `job ${statuses}`);

test("an integration made with the client is listed, primary, and tells no secret to the log", async () => {
  const { result: made } = await novu.integrations.create({
    providerId: "nodemailer", channel: "email", name: "Mail", active: true,
    credentials: { host: "localhost", port: "1", user: "u", password: "pass-word-1", from: "a@example.com", senderName: "A" },
  });
  assert.equal(made.providerId, "nodemailer");
  assert.equal(made.primary, true, "the first real one takes over from the outbox");
  const { result: list } = await novu.integrations.list();
  const found = list.find((i) => i.id === made.id);
  assert.deepEqual(found.credentials, {}, "a secret key gets no credentials back (rest-api.md §6.14)");
  assert.ok(!server.log.includes("pass-word-1"));
  await novu.integrations.delete(made.id);
});

test("STARTTLS with authentication", async () => {
  const sink = await startSink("--tls", "starttls", "--require-tls", "--auth", "shop:s3cret");
  await configure(sink, { requireTls: true, user: "shop", password: "s3cret" });
  const transactionId = await send();
  const [mail] = await until(() => sink.mails.length && sink.mails, "the mail");
  assert.equal(mail.tls, true);
  assert.equal(mail.auth, "shop");
  assert.equal(mail.mail_from, "shop@example.com");
  assert.deepEqual(mail.rcpt_tos, ["ada@example.com"]);
  assert.equal(mail.parsed.subject, "Your order A-17, Ada");
  assert.deepEqual(mail.parsed.from, [{ name: "The Shop", email: "shop@example.com" }]);
  assert.equal(mail.parsed.structure, "multipart/alternative(text/plain,text/html)");
  const html = mail.parsed.parts.find((p) => p.type === "text/html").text;
  assert.match(html, /<p>Dear Ada Lovelace,<\/p>/);
  assert.deepEqual(mail.parsed.defects, []);
  assert.equal(mail.parsed.bare_newlines, 0);

  const done = await job(transactionId, "completed");
  assert.equal(done.providerId, "nodemailer");
  assert.ok(done.executionDetails.some((d) => d.detail === "Message sent" && d.status === "Success"));
  const { body } = await server.call("GET", `/v1/outbox?transactionId=${transactionId}`);
  assert.equal(body.data.length, 0, "it went out, not to the outbox");
  assert.ok(!server.log.includes("s3cret"));
});

test("TLS from the first byte", async () => {
  const sink = await startSink("--tls", "implicit");
  await configure(sink, { secure: true });
  await send();
  const [mail] = await until(() => sink.mails.length && sink.mails, "the mail");
  assert.equal(mail.tls, true);
});

test("a certificate that nobody vouches for is refused: the message waits and says why", async () => {
  const sink = await startSink("--tls", "starttls");
  await configure(sink, { requireTls: true, tlsOptions: undefined });
  const transactionId = await send();
  const waiting = await job(transactionId, "delayed", "failed");
  assert.match(JSON.stringify(waiting.executionDetails), /certificate|SSL|TLS/i);
  assert.equal(sink.mails.length, 0);
});

test("a 4yz answer is tried again, a 5yz answer is final", async () => {
  const final = await startSink("--tls", "none", "--reply-rcpt", "550 5.1.1 no such person");
  await configure(final, { ignoreTls: true });
  const failed = await job(await send(), "failed");
  assert.match(JSON.stringify(failed.executionDetails), /no such person/);
  assert.ok(failed.executionDetails.some((d) => d.detail === "Unexpected provider error"));

  const busy = await startSink("--tls", "none", "--reply-data", "451 4.3.0 come back later", "--fail-first", "1");
  await configure(busy, { ignoreTls: true });
  const waiting = await job(await send(), "delayed");
  assert.ok(waiting.executionDetails.some((d) => d.detail === "Delivery attempt failed, retrying" && d.status === "Pending"));
});

test("without an integration again, the outbox is back", async () => {
  await novu.integrations.delete(integration);
  integration = undefined;
  const [mail] = await server.outbox(await send());
  assert.equal(mail.channel, "email");
});
