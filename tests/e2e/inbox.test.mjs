// The Inbox of @novu/react in Chromium, on a page of another origin: bell, list, states, actions, live.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Product, bell, click } from "./product.mjs";

let product;
before(async () => {
  product = await Product.start();
  const bell = { subject: "{{payload.subject}}", body: "It rings **loudly** for {{subscriber.subscriberId}}.", data: { plan: "{{payload.plan}}" } };
  await product.workflow("news", bell, { tags: ["news"] });
  await product.workflow("order", {
    ...bell,
    avatar: `${product.site.url}/avatar.svg`,
    primaryAction: { label: "Track", redirect: { url: "/orders/17", target: "_self" } },
    secondaryAction: { label: "Return", redirect: { url: `${product.site.url}/avatar.svg?return`, target: "_blank" } },
    redirect: { url: "/orders", target: "_self" },
  }, { tags: ["orders"] });
  for (const severity of ["high", "medium", "low"]) await product.workflow(`is-${severity}`, bell, { severity });
});
after(() => product?.stop());

const dot = (page) => bell(page).locator(".nv-bellDot");
const item = (page, subject) => page.locator(".nv-notification", { hasText: subject });
const items = (page, n) => page.waitForFunction((n) => document.querySelectorAll(".nv-notification").length === n, n);
const subjects = (page) => page.locator(".nv-notificationSubject").allTextContents();
const push = (page, subject, button) => item(page, subject).locator(`.nv-notification${button}__button`);
/** The message as the server has it now. */
async function stored(subscriber, subject) {
  const { body } = await product.server.call("GET", `/v2/subscribers/${subscriber}/notifications?limit=100`);
  return body.data.find((n) => n.subject === subject);
}
async function status(page, label) {
  await page.locator(".nv-inboxStatus__dropdownTrigger").click();
  await page.locator(".nv-inboxStatus__dropdownItem", { hasText: label }).first().click();
}
async function more(page, label, answer) {
  await page.locator(".nv-moreActions__dropdownTrigger").click();
  await click(page, page.locator(".nv-moreActions__dropdownItem", { hasText: label }), answer);
}

test("the page type-checks", () => {
  const path = (name) => fileURLToPath(new URL(name, import.meta.url));
  execFileSync(process.execPath, [path("node_modules/typescript/bin/tsc"), "-p", path("product")], { stdio: "inherit" });
});

test("the bell fills, the list opens, read and unread reach the server and the badge", async () => {
  const subscriber = product.person();
  const { page, problems, picture, live, close } = await product.open({ scene: "inbox", subscriber });
  await live;
  await bell(page).click();
  await page.getByText("Quiet for now. Check back later.").waitFor();
  await picture("inbox-empty");
  await bell(page).click();
  assert.equal(await dot(page).count(), 0);
  await product.trigger("news", subscriber, "First");
  await dot(page).waitFor();
  await bell(page).click();
  await item(page, "First").waitFor();
  await product.trigger("news", subscriber, "While it is open");
  await page.getByText("1 new notification").click();
  await items(page, 2);
  assert.deepEqual(await subjects(page), ["While it is open", "First"]);
  assert.equal(await item(page, "First").locator(".nv-notificationBody strong").textContent(), "loudly");
  await picture("inbox-list");

  await item(page, "First").hover();
  await click(page, push(page, "First", "Read"), /\/read$/);
  await item(page, "First").locator(".nv-notificationDot").waitFor({ state: "detached" });
  assert.equal((await stored(subscriber, "First")).isRead, true);
  await item(page, "First").hover();
  await click(page, push(page, "First", "Unread"), /\/unread$/);
  await item(page, "First").locator(".nv-notificationDot").waitFor();
  assert.equal((await stored(subscriber, "First")).isRead, false);
  await more(page, "Mark all as read", /\/notifications\/read$/);
  await dot(page).waitFor({ state: "detached" });
  await page.locator(".nv-notificationDot").first().waitFor({ state: "detached" });
  assert.deepEqual(problems, []);
  await close();
});

test("what one saw is seen on the server", async () => {
  const subscriber = product.person();
  await product.trigger("news", subscriber, "Look");
  const { page, problems, close } = await product.open({ scene: "inbox", subscriber });
  assert.equal((await stored(subscriber, "Look")).isSeen, false);
  const seen = page.waitForResponse((r) => r.url().endsWith("/notifications/seen") && r.request().method() === "POST");
  await bell(page).click();
  assert.equal((await seen).status(), 204);
  const now = await stored(subscriber, "Look");
  assert.deepEqual([now.isSeen, now.isRead], [true, false]);
  assert.deepEqual(problems, []);
  await close();
});

test("the list goes on as one scrolls, and the filter menu shows unread, archived and snoozed", async () => {
  const subscriber = product.person();
  const names = Array.from({ length: 34 }, (_, i) => `Number ${String(i).padStart(2, "0")}`);
  for (const name of names) await product.trigger("news", subscriber, name);
  const { page, problems, picture, close } = await product.open({ scene: "inbox", subscriber });
  const pages = [];
  page.on("request", (r) => r.method() === "GET" && /\/notifications\?/.test(r.url()) && pages.push(new URL(r.url()).searchParams.has("after")));
  await bell(page).click();
  await items(page, 10);
  await page.waitForFunction((n) => {
    const list = document.querySelector(".nv-notificationList");
    list.scrollTo(0, list.scrollHeight);
    return list.querySelectorAll(".nv-notification").length === n;
  }, names.length);
  assert.deepEqual(await subjects(page), names.toReversed());
  assert.deepEqual(pages, [false, true, true, true]);
  await picture("inbox-scrolled");

  const [a, b] = ["Number 33", "Number 32"];
  await page.locator(".nv-notificationList").evaluate((list) => list.scrollTo(0, 0));
  await item(page, a).hover();
  await click(page, push(page, a, "Archive"), /\/archive$/);
  await item(page, a).waitFor({ state: "detached" });
  await item(page, b).hover();
  await click(page, push(page, b, "Read"), /\/read$/);
  await status(page, "Archived");
  await items(page, 1);
  assert.deepEqual(await subjects(page), [a]);
  await picture("inbox-archived");
  await item(page, a).hover();
  await click(page, push(page, a, "Unarchive"), /\/unarchive$/);
  await page.getByText("Quiet for now.").waitFor();
  await status(page, "Unread only");
  await item(page, "Number 31").waitFor();
  assert.equal(await item(page, a).count() + (await item(page, b).count()), 0, "both are read");
  await page.locator(".nv-inboxStatus__dropdownTrigger").click();
  await page.locator(".nv-inboxStatus__dropdownItem").nth(3).waitFor();
  await picture("inbox-filter-menu");
  await page.keyboard.press("Escape");
  assert.deepEqual(problems, []);
  await close();
});

test("archive all, archive read", async () => {
  const subscriber = product.person();
  for (const name of ["One", "Two", "Three"]) await product.trigger("news", subscriber, name);
  const { page, problems, close } = await product.open({ scene: "inbox", subscriber });
  await bell(page).click();
  await items(page, 3);
  await item(page, "Two").hover();
  await click(page, push(page, "Two", "Read"), /\/read$/);
  await more(page, "Archive read", /\/read-archive$/);
  await items(page, 2);
  assert.deepEqual(await subjects(page), ["Three", "One"]);
  await more(page, "Archive all", /\/notifications\/archive$/);
  await items(page, 0);
  await dot(page).waitFor({ state: "detached" });
  assert.deepEqual(problems, []);
  await close();
});

test("tabs filter by tags, data and severity, and count", async () => {
  const subscriber = product.person();
  const tabs = [
    { label: "Everything", filter: { tags: [] } },
    { label: "Orders", filter: { tags: ["orders"] } },
    { label: "News or orders", filter: { tags: ["news", "orders"] } },
    { label: "Gold", filter: { data: { plan: "gold" } } },
    { label: "Urgent", filter: { severity: ["high", "medium"] } },
  ];
  await product.trigger("news", subscriber, "Paper", { payload: { plan: "gold" } });
  await product.trigger("order", subscriber, "Order");
  await product.trigger("is-high", subscriber, "Fire");
  await product.trigger("is-low", subscriber, "Breeze");
  const { page, problems, picture, live, close } = await product.open({ scene: "inbox", subscriber, inbox: { tabs } });
  await live;
  await bell(page).click();
  await items(page, 4);
  const tab = (label) => page.locator(".nv-notificationsTabs__tabsTrigger", { hasText: label });
  const count = (label) => tab(label).locator(".nv-notificationsTabsTriggerCount");
  await count("Everything").getByText("4", { exact: true }).waitFor();
  await picture("inbox-tabs");
  const open = async (label) => {
    if (await tab(label).isVisible()) return tab(label).click();
    await page.locator(".nv-moreTabs__button").click();
    await page.locator(".nv-moreTabs__dropdownItem", { hasText: label }).click();
  };
  for (const [label, ...expected] of [
    ["Orders", "Order"], ["News or orders", "Order", "Paper"], ["Gold", "Paper"], ["Urgent", "Fire"],
  ]) {
    await open(label);
    await page.waitForFunction((expected) => {
      const seen = [...document.querySelectorAll(".nv-notificationSubject")].map((e) => e.textContent);
      return JSON.stringify(seen) === expected;
    }, JSON.stringify(expected));
  }
  // A new one is counted in the tabs that it matches, and shown in the open one.
  await product.trigger("is-medium", subscriber, "Smoke");
  await page.getByText("1 new notification").click();
  await items(page, 2);
  await open("Orders");
  await items(page, 1);
  await more(page, "Mark all as read", /\/notifications\/read$/);
  await count("Everything").getByText("4", { exact: true }).waitFor();
  assert.deepEqual([(await stored(subscriber, "Order")).isRead, (await stored(subscriber, "Fire")).isRead], [true, false]);
  assert.deepEqual(problems, []);
  await close();
});

test("severities colour the bell and the rows, in the light and in the dark", async () => {
  for (const dark of [false, true]) {
    const subscriber = product.person();
    await product.trigger("news", subscriber, "Plain");
    const { page, problems, picture, live, close } = await product.open({ scene: "inbox", subscriber, dark });
    await live;
    await dot(page).waitFor();
    for (const severity of ["low", "medium", "high"]) {
      await product.trigger(`is-${severity}`, subscriber, `Severity ${severity}`);
      await page.locator(`.nv-severity${severity[0].toUpperCase()}${severity.slice(1)}__bellContainer`).waitFor();
    }
    await bell(page).click();
    await items(page, 4);
    const bar = (subject) => item(page, subject).locator("[class*=notificationBar]").first().evaluate((e) => getComputedStyle(e).backgroundColor);
    assert.notEqual(await bar("Severity high"), await bar("Severity medium"));
    assert.ok((await item(page, "Severity high").getAttribute("class")).includes("nv-severityHigh__notification"));
    const paper = await page.locator(".nv-inbox__popoverContent").evaluate((e) => {
      const canvas = new OffscreenCanvas(1, 1).getContext("2d");
      canvas.fillStyle = getComputedStyle(e).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
      return Math.max(...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3));
    });
    assert.equal(paper < 100, dark, `the panel's lightness is ${paper}`);
    await picture(dark ? "inbox-severity-dark" : "inbox-severity");
    assert.deepEqual(problems, []);
    await close();
  }
});

test("actions are done and stay so; rows and buttons lead somewhere", async () => {
  const subscriber = product.person();
  await product.trigger("order", subscriber, "Order 17");
  await product.trigger("order", subscriber, "Order 18");
  const { page, problems, picture, close } = await product.open({ scene: "inbox", subscriber });
  await bell(page).click();
  await items(page, 2);
  await page.waitForFunction(() => [...document.querySelectorAll(".nv-notificationImage")].every((image) => image.naturalWidth > 0));
  await picture("inbox-actions");
  await click(page, push(page, "Order 17", "PrimaryAction"), /\/complete$/);
  await page.waitForFunction(() => window.told.length === 2);
  assert.deepEqual(await page.evaluate(() => window.told), ["primary Order 17", "push /orders/17"]);
  assert.equal((await stored(subscriber, "Order 17")).primaryAction.isCompleted, true);
  assert.equal((await stored(subscriber, "Order 17")).isRead, true);
  const [popup] = await Promise.all([
    page.context().waitForEvent("page"),
    click(page, push(page, "Order 17", "SecondaryAction"), /\/complete$/),
  ]);
  await popup.waitForURL(/avatar\.svg\?return$/);
  await popup.close();
  const both = await stored(subscriber, "Order 17");
  assert.deepEqual([both.primaryAction.isCompleted, both.secondaryAction.isCompleted], [false, true]);
  await click(page, item(page, "Order 18").locator(".nv-notificationSubject"), /\/read$/);
  await page.waitForFunction(() => window.told.at(-1) === "push /orders");
  assert.deepEqual((await page.evaluate(() => window.told)).slice(-2), ["click Order 18", "push /orders"]);
  assert.deepEqual(problems, []);
  await close();
});

test("two tabs and another device follow each other without a reload", async () => {
  const subscriber = product.person();
  await product.trigger("news", subscriber, "Shared");
  const first = await product.open({ scene: "inbox", subscriber });
  const other = await product.open({ scene: "inbox", subscriber });
  const tab = await first.page.context().newPage();
  await tab.goto(product.url({ scene: "inbox", subscriber }));
  await Promise.all([first.live, other.live]);
  const pages = [first.page, tab, other.page];
  for (const page of pages) await dot(page).waitFor();
  await first.page.bringToFront();
  await bell(first.page).click();
  await item(first.page, "Shared").hover();
  await click(first.page, push(first.page, "Shared", "Read"), /\/read$/);
  for (const page of pages) await dot(page).waitFor({ state: "detached" });
  await product.trigger("news", subscriber, "For all");
  for (const page of pages) await dot(page).waitFor();
  await bell(other.page).click();
  await item(other.page, "For all").hover();
  await click(other.page, push(other.page, "For all", "Archive"), /\/archive$/);
  for (const page of pages) await dot(page).waitFor({ state: "detached" });
  assert.deepEqual([...first.problems, ...other.problems], []);
  await first.close();
  await other.close();
});

test("contexts keep feeds apart", async () => {
  const subscriber = product.person();
  await product.trigger("news", subscriber, "For acme", { context: { tenant: "acme" } });
  await product.trigger("news", subscriber, "For nobody");
  const acme = await product.open({ scene: "inbox", subscriber, connection: { context: { tenant: "acme" } } });
  const plain = await product.open({ scene: "inbox", subscriber });
  await Promise.all([acme.live, plain.live]);
  for (const [{ page }, subject] of [[acme, "For acme"], [plain, "For nobody"]]) {
    await bell(page).click();
    await items(page, 1);
    assert.deepEqual(await subjects(page), [subject]);
  }
  await product.trigger("news", subscriber, "More for acme", { context: { tenant: "acme" } });
  await acme.page.getByText("1 new notification").click();
  await items(acme.page, 2);
  await more(acme.page, "Mark all as read", /\/notifications\/read$/);
  await dot(acme.page).waitFor({ state: "detached" });
  await dot(plain.page).waitFor();
  assert.equal(await plain.page.getByText("1 new notification").count(), 0);
  assert.deepEqual([...acme.problems, ...plain.problems], []);
  await acme.close();
  await plain.close();
});

// The last of this file: it moves the clock for all.
test("a snoozed message sleeps in its own list until the clock wakes it, in all tabs", async () => {
  const subscriber = product.person();
  for (const name of ["Sleeper", "Early bird", "Picky"]) await product.trigger("news", subscriber, name);
  const { page, problems, picture, live, close } = await product.open({ scene: "inbox", subscriber });
  await live;
  await bell(page).click();
  await items(page, 3);
  const snooze = async (subject, option) => {
    await item(page, subject).hover();
    await push(page, subject, "Snooze").click();
    await page.locator(".nv-notificationSnooze__dropdownItem", { hasText: option }).waitFor();
    if (subject === "Sleeper") await picture("inbox-snooze-menu");
    return page.locator(".nv-notificationSnooze__dropdownItem", { hasText: option });
  };
  for (const subject of ["Sleeper", "Early bird"]) {
    await click(page, await snooze(subject, "An hour from now"), /\/snooze$/);
    await item(page, subject).waitFor({ state: "detached" });
  }
  // A day and a time of one's own: the last day that the calendar of the next month shows.
  await (await snooze("Picky", "Custom time")).click();
  await page.locator(".nv-snoozeDatePicker").waitFor();
  await page.locator(".nv-datePickerControlNextTrigger").click();
  await page.locator(".nv-datePickerCalendarDay__button:not([disabled])", { hasText: /^14$/ }).first().click();
  await picture("inbox-snooze-date");
  await click(page, page.locator(".nv-snoozeDatePickerApply__button"), /\/snooze$/);
  await items(page, 0);
  await dot(page).waitFor({ state: "detached" });
  assert.equal(new Date((await stored(subscriber, "Picky")).snoozedUntil).getDate(), 14);

  await status(page, "Snoozed");
  await items(page, 3);
  await item(page, "Sleeper").getByText("Snoozed until").waitFor();
  await picture("inbox-snoozed");
  await item(page, "Early bird").hover();
  await click(page, push(page, "Early bird", "Unsnooze"), /\/unsnooze$/);
  await item(page, "Early bird").waitFor({ state: "detached" });
  await status(page, "Unread & read");
  await items(page, 1);
  const tab = await page.context().newPage();
  await tab.goto(product.url({ scene: "inbox", subscriber }));
  await dot(tab).waitFor();
  await click(tab, bell(tab), /\/notifications\?/);
  await items(tab, 1);

  await page.bringToFront();
  await product.advance("PT1H1M");
  for (const each of [page, tab]) {
    await each.bringToFront();
    // The component either puts it on top by itself or offers to.
    const offer = each.getByText("1 new notification");
    await offer.or(item(each, "Sleeper")).first().waitFor();
    if (await offer.isVisible()) await offer.click();
    await items(each, 2);
    assert.equal((await subjects(each))[0], "Sleeper");
  }
  const woken = await stored(subscriber, "Sleeper");
  assert.deepEqual([woken.isSnoozed, woken.isRead, woken.deliveredAt.length], [false, false, 2]);
  assert.equal((await stored(subscriber, "Picky")).isSnoozed, true);
  await picture("inbox-woken");
  assert.deepEqual(problems, []);
  await close();
});
