// Subscribers through @novu/api 3.19.1 (rest-api.md §6.2).
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Carillon } from "./carillon.mjs";
import { ada, api } from "./clients.mjs";

let server, novu;
before(async () => {
  server = await Carillon.start();
  novu = api(server);
});
after(() => server?.stop());

test("create, retrieve, patch, delete", async () => {
  const { result: made } = await novu.subscribers.create({ ...ada, data: { plan: "pro" }, locale: "de-DE", timezone: "Europe/Berlin" });
  assert.equal(made.subscriberId, "ada");
  assert.match(made.id, /^[0-9a-f]{24}$/);
  assert.deepEqual(made.data, { plan: "pro" });

  const { result: read } = await novu.subscribers.retrieve("ada");
  assert.equal(read.id, made.id);
  assert.equal(read.locale, "de-DE");
  assert.equal(read.timezone, "Europe/Berlin");

  const { result: patched } = await novu.subscribers.patch({ firstName: "Augusta", lastName: null }, "ada");
  assert.equal(patched.firstName, "Augusta");
  assert.equal(patched.lastName ?? null, null);
  assert.equal(patched.email, "ada@example.com");
  assert.deepEqual(patched.data, { plan: "pro" });

  const { result: gone } = await novu.subscribers.delete("ada");
  assert.deepEqual(gone, { acknowledged: true, status: "deleted" });
  await assert.rejects(novu.subscribers.retrieve("ada"), (e) => e.statusCode === 404 && /ada was not found/.test(e.message));
});

test("creating again updates, resets absent data, and can be refused", async () => {
  await novu.subscribers.create({ subscriberId: "eve", firstName: "Eve", data: { a: 1 } });
  const { result } = await novu.subscribers.create({ subscriberId: "eve", email: "eve@example.com" });
  assert.equal(result.firstName, "Eve");
  assert.equal(result.email, "eve@example.com");
  assert.deepEqual(result.data ?? {}, {});

  // The client's own type for this 409 does not fit what upstream sends, so look at the wire.
  const { status, body } = await server.call("POST", "/v2/subscribers?failIfExists=true", { subscriberId: "eve" });
  assert.equal(status, 409);
  assert.equal(body.message, 'Subscriber with id "eve" already exists');
});

test("ids with separators, letters of all scripts and slashes survive the path", async () => {
  for (const subscriberId of ["auth0|12", "a/b@c d", "tenant:7", "grüße", "日本"]) {
    await novu.subscribers.create({ subscriberId });
    const { result } = await novu.subscribers.retrieve(subscriberId);
    assert.equal(result.subscriberId, subscriberId);
  }
});

test("search filters, pages with cursors both ways, and counts", async () => {
  for (let i = 0; i < 7; i++) {
    await novu.subscribers.create({ subscriberId: `page-${i}`, firstName: `Page${i}`, lastName: "Turner", email: `p${i}@pages.example` });
  }
  const seen = [];
  let after;
  const pages = [];
  do {
    const { result } = await novu.subscribers.search({ name: "page", limit: 3, after });
    seen.push(...result.data.map((s) => s.subscriberId));
    pages.push(result);
    after = result.next ?? undefined;
  } while (after);
  assert.deepEqual(seen, ["page-6", "page-5", "page-4", "page-3", "page-2", "page-1", "page-0"]);
  assert.equal(pages[0].totalCount, 7);
  assert.equal(pages[0].previous, null);
  assert.equal(pages[2].next, null);

  const { result: back } = await novu.subscribers.search({ name: "page", limit: 3, before: pages[1].previous });
  assert.deepEqual(back.data.map((s) => s.subscriberId), ["page-6", "page-5", "page-4"]);

  const { result: one } = await novu.subscribers.search({ email: "P3@PAGES" });
  assert.deepEqual(one.data.map((s) => s.subscriberId), ["page-3"]);
  const { result: exact } = await novu.subscribers.search({ subscriberId: "page-1" });
  assert.equal(exact.data.length, 1);
  const { result: ascending } = await novu.subscribers.search({ name: "page", orderDirection: "ASC", limit: 2 });
  assert.deepEqual(ascending.data.map((s) => s.subscriberId), ["page-0", "page-1"]);
  await assert.rejects(
    novu.subscribers.search({ before: one.data[0].id, after: one.data[0].id }),
    (e) => e.statusCode === 400,
  );
});

test("wildcards of the database are plain characters in a search", async () => {
  const { result } = await novu.subscribers.search({ email: "p%@pages" });
  assert.equal(result.data.length, 0);
});

test("a bulk create says which were new", async () => {
  const { result } = await novu.subscribers.createBulk({
    subscribers: [{ subscriberId: "bulk-1" }, { subscriberId: "bulk-2", firstName: "Evelyn" }],
  });
  assert.deepEqual(result.created.map((s) => s.subscriberId), ["bulk-1", "bulk-2"]);
  const { result: again } = await novu.subscribers.createBulk({ subscribers: [{ subscriberId: "bulk-2" }, { subscriberId: "bulk-3" }] });
  assert.deepEqual(again.created.map((s) => s.subscriberId), ["bulk-3"]);
  assert.deepEqual(again.updated.map((s) => s.subscriberId), ["bulk-2"]);
  assert.deepEqual(again.failed, []);
});
