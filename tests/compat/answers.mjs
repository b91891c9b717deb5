// Holds every JSON answer that a test gets from a server to what /openapi.json says about its route: with this, the document
// is as true as the tests are many. An answer that breaks its schema fails the call that got it.
//
// CARILLON_ANSWERS=<file>: instead, append what is wrong to that file, a line each, and say nothing.
import { appendFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";

const origins = new Set();
const collect = process.env.CARILLON_ANSWERS;
const plain = globalThis.fetch;
let document;

/** The document is the same for every server of this build. */
async function load(origin) {
  const { paths, components } = await (await plain(`${origin}/openapi.json`)).json();
  const ajv = new Ajv2020({ strict: false, allErrors: false, formats: { "date-time": true, uri: true, email: true } });
  ajv.addSchema({ $id: "openapi", components });
  const routes = Object.entries(paths).map(([path, item]) => {
    // Of two templates that fit, the one with its names further right is the more exact.
    const rank = path.split("/").map((segment) => (segment.startsWith("{") ? "1" : "0")).join("");
    return { path, item, rank, match: new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+")}$`) };
  });
  return { ajv, responses: components.responses, routes: routes.sort((a, b) => (a.rank < b.rank ? -1 : 1)), checks: new Map() };
}

/** References of the document, from within a schema of its own. */
const rebase = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"openapi#/components/'));

/** What is wrong with an answer; undefined: nothing, or the document does not speak of it. */
export async function wrong(origin, method, path, status, text) {
  document ??= load(origin);
  const { ajv, routes, checks, responses: shared } = await document;
  const verb = method.toLowerCase();
  const route = routes.find((r) => r.item[verb] && r.match.test(path));
  if (!route) return undefined;
  const name = `${method} ${route.path} ${status}`;
  if (!checks.has(name)) {
    const { responses } = route.item[verb];
    let declared = responses[status];
    if (declared?.$ref) declared = shared[declared.$ref.split("/").pop()];
    const schema = declared && declared.content?.["application/json"]?.schema;
    checks.set(name, { declared, check: schema && ajv.compile(rebase(schema)) });
  }
  const { declared, check } = checks.get(name);
  if (!declared) return status < 400 ? `${name}: the document knows no such status` : undefined;
  if (!check) return text && status < 300 ? `${name}: the document knows no JSON here` : undefined;
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return `${name}: no JSON: ${text.slice(0, 200)}`;
  }
  return check(body) ? undefined : `${name}: ${ajv.errorsText(check.errors)}: ${text.slice(0, 1000)}`;
}

async function hold(origin, method, path, status, text) {
  const what = await wrong(origin, method, path, status, text);
  if (!what) return;
  if (!collect) throw new Error(`the answer is not as /openapi.json has it: ${what}`);
  appendFileSync(collect, `${what.replaceAll("\n", " ")}\n`);
}

globalThis.fetch = async (input, init) => {
  const response = await plain(input, init);
  const { origin, pathname } = new URL(input.url ?? input);
  if (!origins.has(origin) || !response.headers.get("content-type")?.startsWith("application/json")) return response;
  await hold(origin, init?.method ?? input.method ?? "GET", pathname, response.status, await response.clone().text());
  return response;
};

/** From now on this server's answers are looked at. */
export const watch = (url) => origins.add(new URL(url).origin);

/** The same for a client that uses axios. */
export function watchAxios(axios) {
  const look = async ({ config, status, data, headers, request }) => {
    if (!headers["content-type"]?.startsWith("application/json")) return;
    const { origin, pathname } = new URL(request.path, config.baseURL);
    await hold(origin, config.method.toUpperCase(), pathname, status, typeof data === "string" ? data : JSON.stringify(data));
  };
  axios.interceptors.response.use(
    async (response) => (await look(response), response),
    async (error) => {
      if (error.response) await look(error.response);
      throw error;
    },
  );
}
