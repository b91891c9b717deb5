// The other ways into the same Inbox, in Chromium: parts in a layout of one's own, hooks, @novu/nextjs with a page rendered
// on the server, @novu/react-native, signed sessions.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Product, bell, click } from "./product.mjs";

let product;
before(async () => {
  product = await Product.start();
  const text = { subject: "{{payload.subject}}", body: "news" };
  const mail = { name: "Mail", type: "email", controlValues: { subject: "s", body: "b" } };
  await product.workflow("news", text);
  await product.workflow("orders", text, { tags: ["orders"] });
  await product.workflow("linked", { ...text, redirect: { url: "/orders/1", target: "_self" } });
  await product.workflow("fire", text, { severity: "high" });
  await product.call("POST", "/v2/workflows", {
    name: "Letters", workflowId: "letters", active: true, steps: [mail, { name: "Bell", type: "in_app", controlValues: text }],
  });
});
after(() => product?.stop());

const lines = (page, list) => page.locator(`.${list} li`);
const shows = (page, list, expected) =>
  page.waitForFunction(([list, expected]) => {
    const own = (li) => li.firstChild.textContent;
    return JSON.stringify([...document.querySelectorAll(`.${list} li`)].map(own)) === JSON.stringify(expected);
  }, [list, expected]);
const says = (page, output, expected) =>
  page.waitForFunction(([output, expected]) => document.querySelector(`output.${output}`)?.textContent === expected, [output, expected]);
const button = (scope, name) => scope.getByRole("button", { name, exact: true });

test("bell, list, preferences and content as parts", async () => {
  const subscriber = product.person();
  const { page, problems, picture, live, close } = await product.open({ scene: "parts", subscriber });
  await live;
  await says(page, "total", "0");
  for (const subject of ["One", "Two"]) await product.trigger("news", subscriber, subject);
  await says(page, "total", "2");
  await page.locator(".panel .nv-notification").nth(1).waitFor();
  await picture("parts-list");
  await button(page, "preferences").click();
  await page.locator(".panel .nv-workflowContainer").first().waitFor();
  await picture("parts-preferences");
  await button(page, "both").click();
  await page.locator(".panel .nv-notification").nth(1).waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("hooks: list, counts, preferences and schedule stay true without a reload", async () => {
  const subscriber = product.person();
  for (const n of [1, 2, 3, 4]) await product.trigger("news", subscriber, `News ${n}`);
  const { page, problems, picture, live, close } = await product.open({ scene: "hooks", subscriber });
  await live;
  await says(page, "counts", "4 0 0");
  await shows(page, "list", ["News 4", "News 3", "News 2"]);
  await button(page, "more").click();
  await shows(page, "list", ["News 4", "News 3", "News 2", "News 1"]);
  // One after the other: of two within a blink this version of useCounts drops a count, as its hooks hand events to each other
  // over a BroadcastChannel, and a partial count that comes late then replaces the full one.
  await product.trigger("orders", subscriber, "Order");
  await says(page, "counts", "5 1 0");
  await product.trigger("fire", subscriber, "Fire");
  await shows(page, "list", ["Fire", "Order", "News 4", "News 3", "News 2", "News 1"]);
  await says(page, "counts", "6 1 1");
  const line = (subject) => lines(page, "list").filter({ hasText: subject });
  assert.equal(await line("Fire").getAttribute("data-severity"), "high");

  await click(page, button(line("Order"), "read"), /\/read$/);
  await says(page, "counts", "5 0 1");
  await click(page, button(line("Order"), "unread"), /\/unread$/);
  await says(page, "counts", "6 1 1");
  await click(page, button(line("Fire"), "archive"), /\/archive$/);
  await shows(page, "list", ["Order", "News 4", "News 3", "News 2", "News 1"]);
  await says(page, "counts", "5 1 1");
  await click(page, button(line("News 1"), "delete"), /\/delete$/);
  await says(page, "counts", "4 1 1");
  await click(page, button(page, "read all"), /\/notifications\/read$/);
  await says(page, "counts", "0 0 1");
  await click(page, button(page, "archive all read"), /\/read-archive$/);
  await shows(page, "list", []);

  await shows(page, "preferences", ["Global", "news", "orders", "linked", "fire", "Letters"]);
  const letters = lines(page, "preferences").filter({ hasText: "Letters" });
  await click(page, button(letters, "e-mail"), /\/preferences\/[^/]+$/);
  await page.locator('.preferences li[data-email="false"]', { hasText: "Letters" }).waitFor();
  await says(page, "schedule", "false");
  await click(page, button(page, "schedule"), /\/preferences$/);
  await says(page, "schedule", "true");
  await picture("hooks");
  await page.reload();
  await shows(page, "archive", ["Fire", "Order", "News 4", "News 3", "News 2"]);
  await page.locator('.preferences li[data-email="false"]', { hasText: "Letters" }).waitFor();
  await says(page, "schedule", "true");
  assert.deepEqual(problems, []);
  await close();
});

test("@novu/nextjs: rendered on the server, hydrated without a word, and live; its router is used", async () => {
  const subscriber = product.person();
  const options = { scene: "next", subscriber, ssr: true };
  const first = await (await fetch(product.url(options))).text();
  assert.match(first, /<strong>Bell foundry<\/strong>/);
  const { page, problems, picture, live, close } = await product.open(options);
  await live;
  await product.trigger("linked", subscriber, "For Next");
  await bell(page).locator(".nv-bellDot").waitFor();
  await bell(page).click();
  await page.locator(".nv-notification", { hasText: "For Next" }).waitFor();
  await picture("next");
  await page.locator(".nv-notification", { hasText: "For Next" }).click();
  await page.waitForURL(`${product.site.url}/orders/1`);
  assert.deepEqual(problems, []);
  await close();
});

test("@novu/react-native: its hooks list and count", async () => {
  const subscriber = product.person();
  await product.trigger("news", subscriber, "Before");
  const { page, problems, live, close } = await product.open({ scene: "native", subscriber });
  await live;
  await says(page, "counts", "1");
  await product.trigger("news", subscriber, "After");
  await shows(page, "list", ["After", "Before"]);
  await says(page, "counts", "2");
  assert.deepEqual(problems, []);
  await close();
});

test("@novu/js draws the same Inbox without React", async () => {
  const subscriber = product.person();
  const { page, problems, live, close } = await product.open({ scene: "plain", subscriber });
  await live;
  await product.trigger("news", subscriber, "Plain");
  await bell(page).locator(".nv-bellDot").waitFor();
  await bell(page).click();
  await page.locator(".nv-notification", { hasText: "Plain" }).waitFor();
  assert.deepEqual(problems, []);
  await close();
});

test("without an identifier one may try it out: a demo environment, kept over a reload", async () => {
  const { page, problems, picture, close } = await product.open({ scene: "keyless" });
  await bell(page).click();
  await picture("keyless");
  const kept = () => page.evaluate(() => localStorage.getItem("novu_keyless_application_identifier"));
  const identifier = await kept();
  assert.match(identifier, /^pk_keyless_/);
  await page.reload();
  await bell(page).waitFor();
  assert.equal(await kept(), identifier);
  await bell(page).click();
  await click(page, page.getByRole("button", { name: "Send 'Hello World!'" }), /\/inbox\/events$/);
  await page.locator(".nv-notification").waitFor();
  await picture("keyless-hello");
  assert.deepEqual(problems, []);
  await close();
});

test("where sessions must be signed, a signed one works, another one is told so", async () => {
  const { applicationIdentifier, secretKey } = product.server.prod;
  const key = { key: secretKey };
  const steps = [{ name: "Bell", type: "in_app", controlValues: { body: "signed" } }];
  assert.equal((await product.server.call("POST", "/v2/workflows", { name: "s", workflowId: "s", active: true, steps }, key)).status, 201);
  const subscriber = product.person();
  await product.server.call("POST", "/v1/events/trigger", { name: "s", to: subscriber }, key);
  const connection = { applicationIdentifier, subscriberHash: createHmac("sha256", secretKey).update(subscriber).digest("hex") };
  const good = await product.open({ scene: "inbox", subscriber, connection });
  await bell(good.page).click();
  await good.page.locator(".nv-notification", { hasText: "signed" }).waitFor();
  assert.equal(await good.page.getByText("Development mode").count(), 0);
  await good.picture("production");
  assert.deepEqual(good.problems, []);
  await good.close();

  const bad = await product.open({ scene: "inbox", subscriber, connection: { applicationIdentifier, subscriberHash: "00" } });
  await bad.page.waitForResponse((r) => r.url().endsWith("/session") && r.status() === 400);
  await bad.close();
});
