// Identifiers that are made of names: what npm @novu/shared makes of the same names.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Carillon } from "./carillon.mjs";
import { random } from "./random.mjs";

const { slugify } = createRequire(import.meta.url)("@novu/shared");     // comes with @novu/node
let server;
before(async () => (server = await Carillon.start()));
after(() => server?.stop());

const words = ["DigestStep", "IN_APP 1", "HTTPRequest", "APIs", "ABC12x", "aB1C", "XMLHttpRequest2", "it's", "don't", "T's s", "x-s-t-b", "Test & Co", "I ♥ Dogs", "a`b^c", "100%", "e.mail",
  "émail Étape", "Ü straße", "Ñandú", "Ελλάδα", "Привет", "Škoda", "Łódź", "İstanbul", "Tiếng Việt", "日本", "العربية", "հայ", "🦄 one", "½", "①②", "…", "—", "\u200b", "_", "Z9", "9Z", "a", "S", "ff"];

test("steps and copies are identified as the client library would", async () => {
  const { below } = random(20261121);
  const names = [...words, ...Array.from({ length: 160 }, () => Array.from({ length: 1 + below(3) }, () => words[below(words.length)]).join([" ", "", "-", "_"][below(4)]))]
    .map((n) => n.normalize().slice(0, 60)).filter((n) => n.trim() && slugify(n));
  for (let i = 0; i < names.length; i += 20) {
    const steps = names.slice(i, i + 20).map((name) => ({ name, type: "in_app", controlValues: { body: "x" } }));
    const { status, body, text } = await server.call("POST", "/v2/workflows", { name: "Slugs", workflowId: "slugs", active: true, steps });
    assert.equal(status, 201, text);
    for (const [k, step] of body.data.steps.entries()) {
      const want = slugify(steps[k].name);
      assert.ok(step.stepId === want || step.stepId.startsWith(`${want}-`), `${JSON.stringify(steps[k].name)}: ${step.stepId}, not ${want}`);
      assert.ok(step.slug.startsWith(`${want}_st_`), `${step.slug}, not ${want}`);
    }
  }
});
