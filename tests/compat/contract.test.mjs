// The route table against the contract of @novu/api 3.19.1 (tests/data/contract_operations.json).
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { program } from "./carillon.mjs";

const data = (name) => JSON.parse(readFileSync(new URL(`../data/${name}`, import.meta.url)));
const routes = JSON.parse(execFileSync(program, ["routes", "--json"]));
const contract = data("contract_operations.json");
const missing = data("contract_missing.json");
const place = ({ method, path }) => `${method} ${path.replace(/\{[^}]*\}/g, "{}")}`;
const at = new Map(routes.map((route) => [place(route), route]));

test("every operation has a route, or a reason not to", () => {
  const reasons = new Map(Object.entries(missing));
  const lost = contract.filter((o) => !at.has(place(o)) && !reasons.has(o.operation));
  assert.deepEqual(lost.map((o) => `${o.operation} ${place(o)}`), []);
  const stale = contract.filter((o) => at.has(place(o)) && reasons.has(o.operation));
  assert.deepEqual(stale.map((o) => o.operation), [], "has a route: take it out of contract_missing.json");
  const unknown = [...reasons.keys()].filter((name) => !contract.some((o) => o.operation === name));
  assert.deepEqual(unknown, []);
  assert.ok([...reasons.values()].every((reason) => reason.length > 10));
});

test("each route has the contract's name, parameters, status, envelope, rate and permission", () => {
  const wrong = [];
  for (const o of contract) {
    const route = at.get(place(o));
    if (!route) continue;
    const expect = (what, got, wanted) => got === wanted || wrong.push(`${o.operation}: ${what} is ${got}, the contract says ${wanted}`);
    expect("operation", route.operation, o.operation);
    expect("path", route.path, o.path);
    expect("rate", route.rate, o.rate);
    expect("cost", route.cost, o.cost);
    if (o.envelope) expect("envelope", route.envelope, o.envelope);
    if (o.permission) expect("permission", route.permission, o.permission);
    if (!o.statuses.includes(route.status)) expect("status", route.status, o.statuses.join(" or "));
    // Providers call with signatures of their own (rest-api.md §6.16).
    if (o.operation !== "activityTrack") expect("auth", route.auth, "environment");
  }
  assert.deepEqual(wrong, []);
});

test("operations are named once", () => {
  const names = routes.map((route) => route.operation);
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), []);
  assert.ok(names.every((name) => /^[a-z][a-zA-Z0-9]*$/.test(name)));
});
