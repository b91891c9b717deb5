// The newcomer's first minute in a real browser: ring the bell, see it ring, read it, see the e-mail.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Carillon } from "../compat/carillon.mjs";
import { launch, openPage, pictures } from "./browser.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([Carillon.start({ env: { CARILLON_DEMO: "on" } }), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const bell = (page) => page.locator("nav .bell");
/** Waits until the badge shows n; 0 means that there is none. */
const badge = (page, n) =>
  page.waitForFunction((n) => (document.querySelector("nav .bell .count")?.textContent ?? "0") === String(n), n);
const item = (page, text) => page.locator(".nv-notification", { hasText: text }).first();

async function ring(page, subject, message) {
  await page.getByLabel("Subject").fill(subject);
  await page.getByLabel("Message").fill(message);
  await page.getByRole("button", { name: "Ring the bell" }).click();
}

test("the page type-checks", () => {
  const path = (name) => fileURLToPath(new URL(name, import.meta.url));
  execFileSync(process.execPath, [path("node_modules/typescript/bin/tsc"), "-p", path("../../demo")], { stdio: "inherit" });
});

test("trigger, badge, message, read, e-mail", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.goto(`${server.url}/demo`);
  await bell(page).waitFor();
  await page.getByText("Nothing yet. Ring the bell.").waitFor();
  await page.screenshot({ path: `${pictures}1-start.png` });

  await ring(page, "Hello from the browser", "It's “live”, isn't it?");
  await page.getByText(/In your Inbox after \d+ ms/).waitFor();
  await badge(page, 1);
  await page.getByRole("button", { name: /Hello from the browser/ }).waitFor();
  await page.screenshot({ path: `${pictures}2-badge.png` });

  await bell(page).click();
  await item(page, "Hello from the browser").waitFor();
  await item(page, "It's “live”, isn't it?").waitFor();
  await page.screenshot({ path: `${pictures}3-open.png` });

  await item(page, "Hello from the browser").hover();
  await page.locator(".nv-notificationRead__button").first().click();
  await badge(page, 0);
  await bell(page).click();
  await page.locator(".nv-popoverContent").waitFor({ state: "detached" });

  // The next one arrives while the page is open, from outside the page.
  const config = await (await fetch(`${server.url}/demo/config.json`)).json();
  const { workflowId, subscriberId } = config.data ?? config;
  const answer = await server.call("POST", "/v1/events/trigger", {
    name: workflowId, to: subscriberId, payload: { subject: "From curl", message: "Second", email: false },
  });
  assert.equal(answer.status, 201);
  await badge(page, 1);
  await bell(page).click();
  await item(page, "From curl").waitFor();

  const mails = await page.locator(".mail").count();
  assert.equal(mails, 1, "the second one had no e-mail");
  assert.deepEqual(problems, []);
  await close();
});

test("the page is usable on a telephone and in the dark", async () => {
  const { page, problems, close } = await openPage(browser, { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await page.goto(`${server.url}/demo/`);
  await bell(page).waitFor();
  await page.locator(".mail").first().waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0);
  await page.screenshot({ path: `${pictures}4-phone-dark.png`, fullPage: true });
  await page.setViewportSize({ width: 1180, height: 820 });
  await bell(page).click();
  await item(page, "From curl").waitFor();
  await page.screenshot({ path: `${pictures}5-dark.png` });
  assert.deepEqual(problems, []);
  await close();
});

test("nothing that the page loads holds the secret key", async () => {
  for (const path of ["/demo", "/demo/config.json", "/demo/outbox"]) {
    const text = await (await fetch(server.url + path)).text();
    assert.ok(!text.includes(server.dev.secretKey), path);
  }
});
