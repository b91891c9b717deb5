// A page of somebody else's product on an origin of its own, a Carillon with a virtual clock behind it, and Chromium.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { Carillon } from "../compat/carillon.mjs";
import { launch, openPage, pictures } from "./browser.mjs";

const path = (name) => fileURLToPath(new URL(`product/${name}`, import.meta.url));
const next = { "next/navigation": path("next_router.ts"), "next/compat/router": path("next_pages.ts") };
const common = { bundle: true, write: false, format: "esm", target: "es2022", jsx: "automatic", alias: next, logLevel: "error" };

const avatar = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="#b4530a"/><circle cx="32" cy="36" r="14" fill="#fff"/></svg>`;

const html = (root) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bell foundry</title>
<link rel="icon" href="/avatar.svg"><link rel="stylesheet" href="/main.css"></head>
<body><div id="root">${root}</div><script type="module" src="/main.js"></script></body></html>`;

/** The page, bundled for the browser, and for a server that renders it first. */
async function serveProduct() {
  const [page, ssr] = await Promise.all([
    build({ ...common, entryPoints: [path("main.tsx")], outdir: "/", define: { "process.env.NODE_ENV": '"development"' } }),
    build({
      ...common, entryPoints: [path("ssr.tsx")], platform: "node",
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire("/");' },
    }),
  ]);
  const folder = mkdtempSync(join(tmpdir(), "product-"));
  writeFileSync(join(folder, "ssr.mjs"), ssr.outputFiles[0].contents);
  const { render } = await import(pathToFileURL(join(folder, "ssr.mjs"))).finally(() => rmSync(folder, { recursive: true }));
  const files = new Map(page.outputFiles.map((f) => [f.path, f.text]));
  files.set("/avatar.svg", avatar);
  const types = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
  const http = createServer((request, response) => {
    const url = new URL(request.url, "http://product");
    const file = files.get(url.pathname);
    if (file) return response.writeHead(200, { "Content-Type": types[url.pathname.split(".").pop()] }).end(file);
    const options = JSON.parse(url.searchParams.get("options") ?? "{}");
    response.writeHead(200, { "Content-Type": "text/html" }).end(html(options.ssr ? render(options) : ""));
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  return { http, url: `http://127.0.0.1:${http.address().port}` };
}

/** A screenshot of the settled page. The panel's own footer is too wide for it: clicks may have scrolled it sideways. */
async function picture(page, name) {
  await page.evaluate(() => document.querySelectorAll("[class*='nv-'], [class*='nt-']").forEach((e) => (e.scrollLeft = 0)));
  await page.screenshot({ path: `${pictures}${name}.png`, animations: "disabled" });
}

export const bell = (page) => page.locator(".nv-inbox__popoverTrigger");

/** Clicks, and waits until the server has answered what the click asks for; that must succeed. */
export async function click(page, locator, answer) {
  const [response] = await Promise.all([
    page.waitForResponse((r) => answer.test(r.url()) && r.request().method() !== "OPTIONS"),
    locator.click(),
  ]);
  assert.ok(response.ok(), `${response.url()} answered ${response.status()}`);
}

async function accepted(page) {
  const socket = await page.waitForEvent("websocket");
  await socket.waitForEvent("framereceived", { predicate: ({ payload }) => String(payload).startsWith("40") });
}

let people = 0;

export class Product {
  static async start() {
    const self = new Product();
    const keep = (name) => (value) => (self[name] = value);
    const started = await Promise.allSettled([
      Carillon.start({ args: ["--clock", "virtual"] }).then(keep("server")), launch().then(keep("browser")), serveProduct().then(keep("site")),
    ]);
    const failure = started.find(({ status }) => status === "rejected");
    if (!failure) return self;
    await self.stop(); // or the process would never end
    throw failure.reason;
  }

  async stop() {
    await this.browser?.close();
    this.site?.http.close();
    await this.server?.stop();
  }

  /** A call that must succeed; its data. */
  async call(method, path, body) {
    const answer = await this.server.call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
    return answer.body?.data ?? answer.body;
  }

  workflow(workflowId, bell, more) {
    const steps = [{ name: "Bell", type: "in_app", controlValues: bell }];
    return this.call("POST", "/v2/workflows", { name: workflowId, workflowId, active: true, steps, ...more });
  }

  trigger(name, to, subject, more = {}) {
    return this.call("POST", "/v1/events/trigger", { name, to, ...more, payload: { subject, ...more.payload } });
  }

  /** The subjects in a person's Inbox, newest first. */
  async heard(subscriber) {
    const { body } = await this.server.call("GET", `/v2/subscribers/${subscriber}/notifications?limit=100`);
    return body.data.map((n) => n.subject);
  }

  advance(duration) {
    return this.call("POST", "/v1/testing/clock", { advance: duration });
  }

  /** A name that no test has used. */
  person() {
    return `person-${++people}`;
  }

  url({ scene, subscriber, connection, ...more }) {
    const options = {
      scene, server: this.server.url, ...more,
      connection: { applicationIdentifier: this.server.dev.applicationIdentifier, subscriber, ...connection },
    };
    return `${this.site.url}/?options=${encodeURIComponent(JSON.stringify(options))}`;
  }

  /** A fresh browser profile that shows the scene; live resolves once its socket is accepted: what is sent earlier is not pushed. */
  async open(options, browserOptions) {
    const view = await openPage(this.browser, { colorScheme: options.dark ? "dark" : "light", ...browserOptions });
    const live = accepted(view.page);
    live.catch(() => {}); // not every test waits for it
    await view.page.goto(this.url(options));
    return { ...view, live, picture: (name) => picture(view.page, name) };
  }
}
