// Starts build/carillon on a scratch directory and a free port, for tests that talk to the real program.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { watch } from "./answers.mjs";

export const program = process.env.CARILLON ?? fileURLToPath(new URL("../../build/carillon", import.meta.url));

/** Arguments of setpriv: a test that is killed leaves no server behind. */
export const dieWithParent = ["--pdeathsig", "KILL"];

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Calls fn until it returns something true, and fails with what it said last. For states, not for speed. */
export async function until(fn, what, ms = 15000) {
  const end = Date.now() + ms;
  let last;
  do {
    try {
      const value = await fn();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (Date.now() < end);
  throw new Error(`timed out waiting for ${what}${last ? `: ${last.message}` : ""}`);
}

const running = new Set();
process.on("exit", () => {
  for (const server of running) {
    server.child.kill("SIGKILL");
    server.removeDirectory();
  }
});

export class Carillon {
  log = "";

  /** options: dir (kept), env (more variables), args (more arguments), port. */
  constructor(options = {}) {
    this.options = options;
    this.dir = options.dir ?? mkdtempSync(join(tmpdir(), "carillon-"));
  }

  static async start(options) {
    return new Carillon(options).start();
  }

  /** Starts the process without waiting for it to be ready. */
  async launch() {
    this.port ??= this.options.port ?? (await freePort());
    this.url = `http://127.0.0.1:${this.port}`;
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CARILLON")));
    this.child = spawn("setpriv", [...dieWithParent, program, "serve", ...(this.options.args ?? [])], {
      env: { ...env, CARILLON_LISTEN: `127.0.0.1:${this.port}`, CARILLON_DATA_DIR: this.dir, ...this.options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk) => (this.log = (this.log + chunk).slice(-200_000));
    this.child.stdout.on("data", keep);
    this.child.stderr.on("data", keep);
    this.exited = new Promise((resolve) => {
      this.child.once("error", (error) => resolve({ error }));
      this.child.once("close", (code, signal) => resolve({ code, signal }));
    });
    running.add(this);
    void this.exited.then(() => running.delete(this));
    return this;
  }

  async start() {
    await this.launch();
    let gone;
    void this.exited.then((how) => (gone = how));
    await until(
      async () => {
        if (gone) return true;
        return (await fetch(`${this.url}/v1/health-check`)).status === 200;
      },
      "the server's health check",
      30000,
    ).catch((error) => {
      throw new Error(`${error.message}\n${this.log}`);
    });
    if (!gone) watch(this.url);
    if (gone) throw new Error(`the server ended at start: ${JSON.stringify(gone)}\n${this.log}`);
    this.credentials = JSON.parse(readFileSync(join(this.dir, "credentials.json"), "utf8"));
    this.dev = this.credentials.environments.find((e) => e.name === "Development");
    this.prod = this.credentials.environments.find((e) => e.name === "Production");
    return this;
  }

  /** SIGTERM, and the exit code. */
  async stop({ keep = false } = {}) {
    if (running.has(this)) this.child.kill("SIGTERM");
    const how = await this.exited;
    if (!keep) this.removeDirectory();
    return how;
  }

  async kill() {
    this.child.kill("SIGKILL");
    return this.exited;
  }

  removeDirectory() {
    if (!this.options.dir) rmSync(this.dir, { recursive: true, force: true });
  }

  /** A plain HTTP call as Development; returns {status, headers, body}. */
  async call(method, path, body, { key = this.dev.secretKey, headers = {} } = {}) {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(key ? { Authorization: `ApiKey ${key}` } : {}),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
    const text = await response.text();
    let json;
    try {
      json = text ? JSON.parse(text) : undefined;
    } catch {
      json = undefined;
    }
    return { status: response.status, headers: response.headers, body: json, text };
  }

  /** What the outbox holds of one transaction, once there are n. */
  outbox(transactionId, n = 1) {
    return until(async () => {
      const { status, body } = await this.call("GET", `/v1/outbox?transactionId=${encodeURIComponent(transactionId)}`);
      return status === 200 && body.data.length >= n && body.data;
    }, `${n} outbox message(s) of ${transactionId}`);
  }
}
