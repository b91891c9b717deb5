// What people may switch: the preferences page of the Inbox, its schedule, and the Subscription component, in Chromium.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { until } from "../compat/carillon.mjs";
import { Product, bell, click } from "./product.mjs";

let product, digest;
before(async () => {
  product = await Product.start();
  const steps = [
    { name: "Mail", type: "email", controlValues: { subject: "{{payload.subject}}", body: "news" } },
    { name: "Bell", type: "in_app", controlValues: { subject: "{{payload.subject}}", body: "news" } },
  ];
  const workflow = (workflowId, name, more) => product.call("POST", "/v2/workflows", { workflowId, name, active: true, steps, ...more });
  digest = await workflow("digest", "Weekly digest", { tags: ["calm"] });
  await workflow("orders", "Your orders", { tags: ["shop"] });
  await workflow("alarm", "Fire alarm", {
    preferences: { user: null, workflow: { all: { enabled: true, readOnly: true }, channels: {} } },
  });
});
after(() => product?.stop());

/** Opens the panel and its preferences. */
async function preferences(options) {
  const view = await product.open({ scene: "inbox", ...options });
  await bell(view.page).click();
  await click(view.page, view.page.locator(".nv-preferences__button"), /\/preferences\?.*criticality=nonCritical/);
  await view.page.locator(".nv-workflowContainer").first().waitFor();
  return view;
}
const row = (page, name) => page.locator(".nv-workflowContainer", { hasText: name });
const channel = (page, name, label) => row(page, name).locator(".nv-channelContainer", { hasText: label });
const toggle = (page, name, label) => click(page, channel(page, name, label).locator(".nv-channelSwitch"), /\/preferences(\/[^/]+)?$/);
const state = (page, name, label, value) => channel(page, name, label).locator(`.nv-channelSwitchThumb[data-state=${value}]`).waitFor();
const stored = (subscriber) => product.call("GET", `/v2/subscribers/${subscriber}/preferences?criticality=all`);
const channels = async (subscriber, id) => {
  const { global, workflows } = await stored(subscriber);
  return (id ? workflows.find((p) => p.workflow.slug === id || p.workflow.identifier === id) : global).channels;
};

test("a channel is switched off for one workflow, then for all; critical ones are not shown", async () => {
  const subscriber = product.person();
  const { page, problems, picture, close } = await preferences({ subscriber });
  assert.deepEqual(await page.locator(".nv-workflowLabel").allTextContents(), ["Global Preferences", "Weekly digest", "Your orders"]);
  await row(page, "Your orders").locator(".nv-workflowLabelContainer").click();
  await state(page, "Your orders", "Email", "enabled");
  await toggle(page, "Your orders", "Email");
  await state(page, "Your orders", "Email", "disabled");
  await state(page, "Your orders", "In-App", "enabled");
  await picture("preferences-workflow");
  assert.deepEqual(await channels(subscriber, "orders"), { email: false, in_app: true });
  assert.deepEqual(await channels(subscriber, "digest"), { email: true, in_app: true });

  // It holds: the mail is left out, the bell, which comes after it in the workflow, rings.
  const to = { subscriberId: subscriber, email: `${subscriber}@example.com` };
  for (const id of ["orders", "digest"]) await product.trigger(id, to, id, { transactionId: `${id}-${subscriber}` });
  await until(async () => (await product.heard(subscriber)).length === 2, "both bells");
  const mails = async (id) => (await product.call("GET", `/v1/outbox?transactionId=${id}-${subscriber}`)).length;
  assert.deepEqual([await mails("orders"), await mails("digest")], [0, 1]);

  await row(page, "Global Preferences").locator(".nv-workflowLabelContainer").click();
  await toggle(page, "Global Preferences", "Email");
  await state(page, "Global Preferences", "Email", "disabled");
  await toggle(page, "Global Preferences", "Email");
  await state(page, "Global Preferences", "Email", "enabled");
  await picture("preferences-global");
  assert.deepEqual(await channels(subscriber), { email: true, in_app: true });
  assert.deepEqual(await channels(subscriber, "orders"), { email: true, in_app: true }, "a global write resets the workflows");
  await page.reload();
  await bell(page).click();
  await page.locator(".nv-preferences__button").click();
  await row(page, "Your orders").locator(".nv-workflowLabelContainer").click();
  await state(page, "Your orders", "Email", "enabled");
  assert.deepEqual(problems, []);
  await close();
});

test("preferences are filtered by tags, and grouped", async () => {
  const subscriber = product.person();
  const one = await preferences({ subscriber, inbox: { preferencesFilter: { tags: ["calm"] } } });
  assert.deepEqual(await one.page.locator(".nv-workflowLabel").allTextContents(), ["Global Preferences", "Weekly digest"]);
  assert.deepEqual(one.problems, []);
  await one.close();

  const preferenceGroups = [{ name: "Shop", filter: { tags: ["shop"] } }, { name: "Reading", filter: { workflowIds: [digest._id] } }];
  const { page, problems, picture, close } = await product.open({ scene: "inbox", subscriber, inbox: { preferenceGroups } });
  await bell(page).click();
  await page.locator(".nv-preferences__button").click();
  const group = (name) => page.locator(".nv-preferencesGroupContainer", { hasText: name });
  await group("Shop").waitFor();
  await group("Reading").waitFor();
  await click(page, group("Shop").locator(".nv-preferencesGroupHeader .nv-channelSwitch"), /\/preferences\/bulk$/);
  await group("Shop").locator(".nv-preferencesGroupHeader [data-state=disabled]").waitFor();
  await group("Shop").locator(".nv-preferencesGroupHeader").click();
  await picture("preferences-groups");
  assert.deepEqual(await channels(subscriber, "orders"), { email: false, in_app: false });
  assert.deepEqual(await channels(subscriber, "digest"), { email: true, in_app: true });
  assert.deepEqual(problems, []);
  await close();
});

test("the schedule is edited day by day, copied, and kept", async () => {
  const subscriber = product.person();
  const { page, problems, picture, close } = await preferences({ subscriber });
  const schedule = page.locator(".nv-scheduleContainer");
  await click(page, schedule.locator(".nv-scheduleHeader .nv-channelSwitch"), /\/preferences$/); // and it opens
  const day = (name) => schedule.locator(".nv-scheduleBodyRow", { hasText: name });
  const days = async () => (await stored(subscriber)).global.schedule.weeklySchedule;
  const put = /\/preferences$/;
  await day("Sunday").locator(".nv-channelSwitch").waitFor();
  const office = [{ start: "09:00 AM", end: "05:00 PM" }];
  assert.deepEqual((await days()).monday, { isEnabled: true, hours: office });
  await click(page, day("Friday").locator(".nv-channelSwitch"), put);
  assert.equal((await days()).friday.isEnabled, false);

  await day("Tuesday").locator(".nv-timeSelect__time").first().click();
  await click(page, page.locator(".nv-timeSelect__dropdownItem", { hasText: "10:30 AM" }), put);
  await day("Tuesday").getByText("10:30").waitFor();
  const late = [{ start: "10:30 AM", end: "05:00 PM" }];
  assert.deepEqual((await days()).tuesday, { isEnabled: true, hours: late });

  await day("Tuesday").hover();
  await day("Tuesday").locator(".nv-dropdownTrigger").first().click();
  await page.locator(".nv-dayScheduleCopy__dropdownContent").waitFor();
  for (const name of ["Wednesday", "Sunday"]) await page.locator(".nv-dayScheduleCopyDay", { hasText: name }).locator("[id$=-control]").click();
  await picture("schedule-copy");
  await click(page, page.locator(".nv-dayScheduleCopyFooterContainer button"), put);
  await day("Sunday").getByText("10:30").waitFor();
  await picture("schedule");
  const { monday, wednesday, thursday, sunday } = await days();
  assert.deepEqual([monday.hours, wednesday.hours, thursday.hours, sunday.hours], [office, late, office, late]);
  assert.equal(sunday.isEnabled, true);

  // What another page of the same person says, and off again.
  const again = await preferences({ subscriber });
  await again.page.locator(".nv-scheduleHeader [data-state=enabled]").waitFor();
  await again.page.locator(".nv-scheduleHeader .nv-scheduleLabel").click();
  await again.page.locator(".nv-scheduleBodyRow", { hasText: "Sunday" }).getByText("10:30").waitFor();
  await click(again.page, again.page.locator(".nv-scheduleHeader .nv-channelSwitch"), put);
  assert.equal((await stored(subscriber)).global.schedule.isEnabled, false);
  assert.deepEqual([...problems, ...again.problems], []);
  await close();
  await again.close();
});

test("a default schedule of the product is there from the first session", async () => {
  const subscriber = product.person();
  const hours = [{ start: "08:00 AM", end: "04:30 PM" }];
  const defaultSchedule = { isEnabled: true, weeklySchedule: { monday: { isEnabled: true, hours } } };
  const { page, problems, close } = await preferences({ subscriber, connection: { defaultSchedule } });
  await page.locator(".nv-scheduleHeader [data-state=enabled]").waitFor();
  await page.locator(".nv-scheduleHeader .nv-scheduleLabel").click();
  await page.locator(".nv-scheduleBodyRow", { hasText: "Monday" }).getByText("08:00").waitFor();
  assert.deepEqual((await stored(subscriber)).global.schedule.weeklySchedule.monday.hours, hours);
  assert.deepEqual(problems, []);
  await close();
});

test("the Subscription component subscribes to a topic, with preferences that hold", async () => {
  const subscriber = product.person();
  const subscription = { topicKey: `boats-${subscriber}`, preferences: ["digest", { label: "Shop", filter: { workflowIds: ["orders", "alarm"] } }] };
  const options = { scene: "subscription", subscriber, subscription };
  const { page, problems, picture, close } = await product.open(options);
  const button = page.locator(".nv-subscriptionContainer .nv-subscriptionButton__button");
  await button.getByText("Subscribe", { exact: true }).waitFor();
  await page.waitForFunction(() => !document.querySelector(".nv-subscriptionButton__button").disabled);
  await click(page, button, /\/subscriptions$/);
  await button.getByText("Unsubscribe").waitFor();
  await page.locator(".nv-subscription__popoverTrigger").click();
  const line = page.locator(".nv-subscriptionPreferenceRow", { hasText: "Weekly digest" });
  await line.waitFor();
  await click(page, line.locator("[id$=-control]"), /\/preferences\/[^/]+$/);
  await line.locator("input:not([data-checked])").waitFor({ state: "attached" });
  await page.locator(".nv-subscriptionPreferenceGroupHeader .nv-subscriptionPreferenceGroupLabel").click();
  const inner = page.locator(".nv-subscriptionPreferenceGroupWorkflowRow");
  await inner.nth(1).waitFor();
  await click(page, inner.filter({ hasText: "Your orders" }).locator("[id$=-control]"), /\/preferences\/[^/]+$/);
  await picture("subscription");

  const send = (name) => product.trigger(name, { type: "Topic", topicKey: subscription.topicKey }, name);
  for (const name of ["digest", "orders", "alarm"]) await send(name);
  await page.reload();
  await button.getByText("Unsubscribe").waitFor();
  await page.locator(".nv-subscription__popoverTrigger").click();
  await line.locator("input:not([data-checked])").waitFor({ state: "attached" });
  await until(async () => (await product.heard(subscriber)).includes("alarm"), "the workflow that was left on");
  assert.deepEqual(await product.heard(subscriber), ["alarm"]);
  await click(page, button, /\/subscriptions\/[^/]+$/);
  await button.getByText("Subscribe", { exact: true }).waitFor();
  const left = await product.call("GET", `/v2/topics/${subscription.topicKey}/subscriptions`);
  assert.deepEqual(left.data ?? left, []);
  assert.deepEqual(problems, []);
  await close();
});
