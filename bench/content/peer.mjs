// npm json-logic-js and ajv (compiled) on cases.json: operations a second, one line each: kind, index, rate.
//   node bench/content/peer.mjs
import { readFileSync } from "node:fs";
import jsonLogic from "json-logic-js";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const { data, rules, schemas } = JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf8"));
function rate(fn) {
  const spin = (ms) => {
    let n = 0;
    const start = performance.now();
    while (performance.now() - start < ms) {
      for (let k = 0; k < 1000; k++) fn();
      n += 1000;
    }
    return (n * 1000) / (performance.now() - start);
  };
  spin(150);
  return Math.round(spin(400));
}
rules.forEach((rule, i) => console.log("rule", i, rate(() => jsonLogic.apply(rule, data))));
const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false });
addFormats(ajv);
schemas.forEach(({ schema, value }, i) => {
  const validate = ajv.compile(schema);
  if (!validate(value)) throw new Error(JSON.stringify(validate.errors));
  console.log("schema", i, rate(() => validate(value)));
});
