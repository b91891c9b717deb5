// /openapi.json is valid, complete, and its examples are what it says.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";
import { Carillon, program } from "./carillon.mjs";

let server, document, routes;
before(async () => {
  server = await Carillon.start();
  const { status, headers, body } = await server.call("GET", "/openapi.json", undefined, { key: null });
  assert.equal(status, 200);
  assert.match(headers.get("content-type"), /^application\/json/);
  document = body;
  routes = JSON.parse(execFileSync(program, ["routes", "--json"]));
});
after(() => server?.stop());

const openPath = (path) => path.replaceAll("*}", "}");
const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item).map(([method, o]) => ({ path, method, o })));

test("a public validator takes it for OpenAPI 3.1", async () => {
  assert.equal(document.openapi, "3.1.0");
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 1)?.slice(0, 4000));
});

test("every route of the table is there, as the table has it", () => {
  for (const route of routes) {
    const o = document.paths[openPath(route.path)]?.[route.method.toLowerCase()];
    assert.ok(o, `${route.method} ${route.path}`);
    assert.equal(o.operationId, route.operation);
    assert.ok(o.responses[route.status], `${route.operation} ${route.status}`);
    assert.equal(o["x-permission"] ?? null, route.permission);
    assert.equal(o["x-rate-limit"]?.category ?? "none", route.rate);
    assert.equal(o.security.length === 0, route.auth === "public", route.operation);
    const named = [...openPath(route.path).matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    const declared = (o.parameters ?? []).filter((p) => p.in === "path").map((p) => p.name);
    assert.deepEqual(declared, named);
  }
  assert.equal(operations().length, routes.length);
  const ids = operations().map(({ o }) => o.operationId);
  assert.equal(new Set(ids).size, ids.length);
});

test("every route declares what it gives, with an example, and what it takes", () => {
  const mute = operations().filter(({ method, o }) => {
    const [status, success] = Object.entries(o.responses).find(([code]) => code < 400);
    if (status !== "204" && status < 300 && Object.values(success.content).some((media) => media.example === undefined)) return true;
    return method === "put" && !o.requestBody;
  });
  assert.deepEqual(mute.map(({ o }) => o.operationId), []);
});

test("every reference leads somewhere, and every example is valid", () => {
  const seen = JSON.stringify(document).match(/"\$ref":"#\/[^"]+"/g) ?? [];
  for (const ref of new Set(seen)) {
    const path = ref.slice(9, -1).split("/").slice(1);
    assert.ok(path.reduce((at, name) => at?.[name], document), ref);
  }
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: "doc", components: document.components });
  const check = (what, { schema, example }) => {
    if (example === undefined) return;
    const local = JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"doc#/components/'));
    const validate = ajv.compile(local);
    assert.ok(validate(example), `${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(example)}`);
  };
  let examples = 0;
  for (const { o } of operations()) {
    for (const [type, media] of Object.entries(o.requestBody?.content ?? {})) check(`${o.operationId} body ${type}`, media);
    for (const [status, response] of Object.entries(o.responses))
      for (const media of Object.values(response.content ?? {})) check(`${o.operationId} ${status}`, (examples++, media));
  }
  assert.ok(examples > 50);
});

test("real answers are what the document says", async () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: "doc", components: document.components });
  const agrees = async (method, path, template, body) => {
    const reply = await server.call(method, path, body);
    const response = document.paths[template][method.toLowerCase()].responses[reply.status];
    assert.ok(response, `${method} ${path}: ${reply.status} ${reply.text}`);
    const schema = (response.$ref ? document.components.responses[response.$ref.split("/").pop()] : response).content["application/json"].schema;
    const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"doc#/components/')));
    assert.ok(validate(reply.body), `${method} ${path}: ${ajv.errorsText(validate.errors)}\n${reply.text}`);
    return reply;
  };
  await agrees("POST", "/v2/subscribers", "/v2/subscribers", { subscriberId: "ada" });
  await agrees("POST", "/v2/subscribers", "/v2/subscribers", { subscriberId: 1 });
  await agrees("GET", "/v2/subscribers/ada", "/v2/subscribers/{subscriberId}");
  await agrees("GET", "/v2/subscribers/nobody", "/v2/subscribers/{subscriberId}");
  await agrees("GET", "/v2/subscribers", "/v2/subscribers");
  await agrees("POST", "/v2/topics", "/v2/topics", { key: "t" });
  await agrees("GET", "/v2/topics", "/v2/topics");
  await agrees("POST", "/v1/events/trigger", "/v1/events/trigger", { name: "none", to: "ada" });
  await agrees("GET", "/v1/environments", "/v1/environments");
  await agrees("GET", "/v1/integrations", "/v1/integrations");
  await agrees("GET", "/v1/notifications", "/v1/notifications");
  await agrees("GET", "/v1/messages", "/v1/messages");
  await agrees("POST", "/v2/contexts", "/v2/contexts", { type: "tenant", id: "acme" });
  await agrees("GET", "/v2/workflows", "/v2/workflows");
});
