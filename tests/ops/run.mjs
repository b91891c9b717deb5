// What the tests of this folder share: running a command to its end, scratch directories, one-line refusals, raw sockets.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { Carillon, dieWithParent } from "../compat/carillon.mjs";

export const program = process.env.CARILLON ?? fileURLToPath(new URL("../../build/carillon", import.meta.url));
export const root = fileURLToPath(new URL("../..", import.meta.url));

// What a failed test leaves running would keep its file from ending.
const started = [];
export async function serve(options) {
  const server = new Carillon(options);
  started.push(server);
  return server.start();
}
after(() => Promise.all(started.map((server) => server.child && server.kill().then(() => server.removeDirectory()))));

const dirs = [];
export function scratch() {
  const dir = mkdtempSync(join(tmpdir(), "carillon-ops-"));
  dirs.push(dir);
  return dir;
}
after(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

// Nothing of the caller's environment that the server would read.
export const cleanEnv = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(PATH|HOME|LANG|TMPDIR|(AS|UB|TS|L)AN_OPTIONS)$|^\w+SAN_OPTIONS$/.test(name)));

/** Runs carillon to its end: {code, signal, out, err}. */
export async function run(args, { env = {}, cwd, input } = {}) {
  const child = spawn("setpriv", [...dieWithParent, program, ...args], { env: { ...cleanEnv(), ...env }, cwd, stdio: ["pipe", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), 20000);
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  return { code, signal, out, err };
}

/** `carillon serve` must refuse to start: one line that matches, a code other than 0, no signal. */
export async function refused(args, pattern, options = {}) {
  const how = await run(["serve", ...args], options);
  assert.equal(how.signal, null, how.err);
  assert.notEqual(how.code, 0, how.err);
  assert.match(how.err, pattern);
  assert.equal(how.err.trim().split("\n").length, 1, `one line, not:\n${how.err}`);
  assert.match(how.err, /^carillon: /);
  return how;
}

/** A TCP connection that keeps what it is sent: {socket, text(), ended}. */
export async function raw(port, host = "127.0.0.1") {
  const socket = connect(port, host);
  let text = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk) => (text += chunk));
  const ended = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  await once(socket, "connect");
  return { socket, ended, text: () => text };
}

export const bell = {
  name: "Bell", workflowId: "bell", active: true,
  steps: [{ name: "Inbox", type: "in_app", controlValues: { body: "{{payload.text}}" } }],
};
export const mail = {
  name: "Mail", workflowId: "mail", active: true,
  steps: [{ name: "Mail", type: "email", controlValues: { subject: "Hello", body: "<p>{{payload.text}}</p>", editorType: "html" } }],
};

export async function workflow(server, definition) {
  const { status, text } = await server.call("POST", "/v2/workflows", { ...definition, __source: "dashboard" });
  assert.equal(status, 201, text);
}

export const trigger = (server, name, to, transactionId, payload = { text: "hello" }) =>
  server.call("POST", "/v1/events/trigger", { name, to, transactionId, payload });
