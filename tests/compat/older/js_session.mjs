// One visit of an inbox with an old @novu/js: node js_session.mjs <version> <url> <applicationIdentifier> <secretKey>
import assert from "node:assert/strict";
import { until } from "../carillon.mjs";

const [version, url, applicationIdentifier, secretKey] = process.argv.slice(2);
const { Novu } = await import(`js-${version}`);
const subscriberId = `js-${version}`;
const novu = new Novu({ applicationIdentifier, subscriberId, subscriber: { subscriberId },
  backendUrl: url, apiUrl: url, socketUrl: url });
const heard = new Map();
for (const event of ["notification_received", "unread_count_changed", "unseen_count_changed"]) {
  novu.on(`notifications.${event}`, ({ result }) => heard.set(event, result));
}
const connected = new Promise((resolve, reject) => {
  novu.on("socket.connect.resolved", ({ error }) => (error ? reject(error) : resolve()));
});
await connected;
const triggered = await fetch(`${url}/v1/events/trigger`, { method: "POST",
  headers: { authorization: `ApiKey ${secretKey}`, "content-type": "application/json" },
  body: JSON.stringify({ name: "bell", to: subscriberId, payload: { name: "Ada" } }) });
assert.equal(triggered.status, 201);
await until(() => heard.size === 3, "the three events");
assert.equal(heard.get("notification_received").body, "Hi Ada");
// Up to 3.8 a number, later by severity.
const unread = heard.get("unread_count_changed");
assert.equal(unread.total ?? unread, 1);

const good = async (what) => {
  const { data, error } = await what;
  assert.equal(error, undefined);
  return data;
};
const { notifications: [item] } = await good(novu.notifications.list({ tags: ["orders"] }));
assert.equal((await good(novu.notifications.count({ filters: [{ read: false }] }))).counts[0].count, 1);
for (const state of ["read", "unread", "archive", "unarchive", "seen", "completePrimary", "revertPrimary"]) {
  if (item[state]) await good(item[state]());
}
for (const all of ["readAll", "archiveAllRead", "archiveAll", "seenAll"]) {
  if (novu.notifications[all]) await good(novu.notifications[all]({}));
}
const preferences = await good(novu.preferences.list({}));
const own = preferences.find((preference) => preference.level === "template");
const changed = await good(own.update({ channelPreferences: { in_app: false }, channels: { in_app: false } }));
assert.equal(changed.channels.in_app, false);
process.exit(0);
