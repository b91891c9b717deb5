// Block e-mails as people see them: what the server sends and what upstream's renderer was recorded to make, side by side
// in Chromium on a phone's and a desktop's width.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { Carillon } from "../compat/carillon.mjs";
import { launch, pictures } from "./browser.mjs";

const data = (name) => JSON.parse(readFileSync(new URL(`../data/email-blocks/${name}.json`, import.meta.url), "utf8"));
const names = [
  "full-sample", "link-card", "columns-3", "columns-fixed-both", "section-attrs", "section-nested-columns", "nested-list",
  "button-round-center", "image-no-src", "inline-image-link", "html-code",
];
const widths = [375, 700];

let server, browser, mails;
before(async () => {
  [server, browser] = await Promise.all([Carillon.start(), launch()]);
  mails = await send();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** One workflow with a step for each document; what arrives, by name. */
async function send() {
  const cases = data("render");
  const steps = names.map((name) => ({
    name, stepId: name, type: "email",
    controlValues: { subject: name, body: JSON.stringify(cases.find((c) => c.name === name).doc) },
  }));
  const made = await server.call("POST", "/v2/workflows", { name: "Blocks", workflowId: "blocks", active: true, steps });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const sent = await server.call("POST", "/v1/events/trigger", {
    name: "blocks", to: { subscriberId: "s", email: "s@example.com" }, transactionId: "t-blocks", payload: {},
  });
  assert.equal(sent.status, 201);
  const found = new Map();
  for (const { _id, id } of await server.outbox("t-blocks", names.length)) {
    const { body } = await server.call("GET", `/v1/outbox/${_id ?? id}`);
    found.set(body.data.subject, body.data.html);
  }
  return found;
}

/** The recorded nodes inside of the recorded empty document. */
function recorded(name) {
  const { final } = data("render").find((c) => c.name === name);
  const [head, foot] = data("documents")["empty-doc"].final.split("<td></td>");
  assert.ok(foot, "the empty document has one empty cell");
  return `${head}<td>${final.replace(/<link rel="preload"[^>]*>/g, "")}</td>${foot}`;
}

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="160" height="80"><rect width="160" height="80" fill="#7cb"/></svg>`;

async function picture(page, html) {
  await page.setContent(html, { waitUntil: "load" });
  return page.screenshot({ fullPage: true });
}

/** The share of pixels that differ visibly; 1 when the sizes do. */
const difference = (page, a, b) =>
  page.evaluate(async ([a, b]) => {
    const pixels = async (base64) => {
      const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d");
      context.drawImage(bitmap, 0, 0);
      return context.getImageData(0, 0, bitmap.width, bitmap.height);
    };
    const [x, y] = [await pixels(a), await pixels(b)];
    if (x.width !== y.width || x.height !== y.height) return 1;
    let differing = 0;
    for (let i = 0; i < x.data.length; i += 4)
      differing += [0, 1, 2].some((k) => Math.abs(x.data[i + k] - y.data[i + k]) > 16);
    return differing / (x.data.length / 4);
  }, [a.toString("base64"), b.toString("base64")]);

test("block e-mails look as recorded at 375 and 700 pixels", async () => {
  const page = await browser.newPage();
  await page.route(/^https?:/, (route) =>
    /\.png/.test(route.request().url()) ? route.fulfill({ contentType: "image/svg+xml", body: svg }) : route.abort());
  for (const width of widths) {
    await page.setViewportSize({ width, height: 400 });
    for (const name of names) {
      const [ours, theirs] = [await picture(page, mails.get(name)), await picture(page, recorded(name))];
      writeFileSync(`${pictures}mail-${name}-${width}.png`, ours);
      const share = await difference(page, ours, theirs);
      assert.ok(share < 0.001, `${name} at ${width}: ${(share * 100).toFixed(2)} % of the pixels differ`);
    }
  }
  // The comparison sees what it should see.
  const [x, y] = [await picture(page, recorded("link-card")), await picture(page, recorded("link-card").replace(">More<", ">Less<"))];
  assert.ok((await difference(page, x, y)) > 0.0001);
  await page.close();
});
