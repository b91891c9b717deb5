// What the guides show is what works: every ```http block of docs/ is sent, in the order of its page, to a new server.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { Carillon } from "../compat/carillon.mjs";

const docs = new URL("../../docs/", import.meta.url);

for (const page of readdirSync(docs).filter((name) => name.endsWith(".md"))) {
  const requests = [...readFileSync(new URL(page, docs), "utf8").matchAll(/^```http\n(\w+) (\S+)\n(.*?)^```$/gms)];
  if (!requests.length) continue;
  test(`docs/${page}: its requests are answered`, async () => {
    const server = await Carillon.start();
    try {
      for (const [, method, path, body] of requests) {
        const answer = await server.call(method, path, body.trim() ? JSON.parse(body) : undefined);
        assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
        for (const step of answer.body.data?.steps ?? []) assert.deepEqual(Object.keys(step.issues ?? {}), [], `${path}: ${JSON.stringify(step.issues)}`);
      }
    } finally {
      await server.stop();
    }
  });
}

test("links between the guides lead somewhere", () => {
  for (const page of readdirSync(docs).filter((name) => name.endsWith(".md"))) {
    const text = readFileSync(new URL(page, docs), "utf8");
    for (const [, to] of text.matchAll(/\]\(([^)#:\s]+\.md)[^)]*\)/g)) assert.doesNotThrow(() => readFileSync(new URL(to, docs)), `${page}: ${to}`);
  }
});
