// Live sockets beside npm socket.io, and the Inbox of a full store: node bench/realtime/run.js [sockets,inbox] (bench/README.md).
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { createInterface } from 'node:readline';
import { freePort, ready, run, scratch, sleep, start, stop } from '../processes.js';
import { message } from './message.js';

const PEOPLE = Number(process.env.BENCH_SOCKETS ?? 10_000);
const RATE = Number(process.env.BENCH_RATE ?? 1000);
const RUNS = 5;
const WORKFLOW = 'bench-comment';
const build = process.env.BENCH_BUILD ?? 'build';
const dir = scratch();
const note = (text) => process.stderr.write(`${text}\n`);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rssMB = (child) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;

/** People with an open Inbox each: bench/realtime/crowd.c, a line of JSON for each command. */
class Crowd {
  static async assemble(port, tokens) {
    const crowd = new Crowd();
    const file = `${dir}/tokens-${port}`;
    writeFileSync(file, tokens.join('\n'));
    crowd.child = spawn(`${build}/bench_crowd`, [String(port), file], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.on('exit', () => crowd.child.kill('SIGKILL'));
    crowd.lines = createInterface({ input: crowd.child.stdout })[Symbol.asyncIterator]();
    crowd.connected = await crowd.answer();
    return crowd;
  }
  async answer() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the crowd has gone');
    return JSON.parse(value);
  }
  command(line) {
    this.child.stdin.write(`${line}\n`);
    return this.answer();
  }
  async fire(port, count, what, path, body, headers = {}) {
    const file = `${dir}/request`;
    writeFileSync(file, request(path, JSON.stringify(body), headers));
    const result = await this.command(`fire ${port} ${count} ${what} ${file}`);
    if (result.received < count || result.refused) throw new Error(`${path}: ${JSON.stringify(result)} of ${count}`);
    return result.ms;
  }
  async leave() {
    const gone = new Promise((resolve) => { this.child.on('exit', resolve); });
    this.child.stdin.end();
    await gone;
  }
}

// length: of the body as it is sent, when that is longer than the text.
const request = (path, text, headers = {}, length = Buffer.byteLength(text)) =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n` +
  `${Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${text}`;

async function several(f) {
  const ms = [];
  for (let i = 0; i < RUNS; i++) ms.push(await f(i));
  return median(ms);
}

// Three times ten seconds, after a warm-up.
async function paced(crowd, port, file) {
  const runs = [];
  await crowd.command(`pace ${port} ${RATE} 2 ${file}`);
  for (let run = 0; run < 3; run++) runs.push(await crowd.command(`pace ${port} ${RATE} 10 ${file}`));
  for (const p of runs) if (p.refused || p.arrived < p.sent) throw new Error(`pace: ${JSON.stringify(p)}`);
  return runs;
}

// -- the hub alone, beside socket.io --

async function measure(name, port, child, paths) {
  note(`${name}: ${PEOPLE} sockets`);
  const before = rssMB(child);
  const crowd = await Crowd.assemble(port, Array.from({ length: PEOPLE }, (_, i) => i + 1));
  await sleep(1000);
  const result = { connect_s: crowd.connected.seconds, rss_empty_mb: before, rss_mb: rssMB(child) };
  result.each_ms = await several(() => crowd.fire(port, 3 * PEOPLE, 'all', paths.each, message));
  if (paths.broadcast) result.broadcast_ms = await several(() => crowd.fire(port, PEOPLE, 'news', paths.broadcast, message));
  result.rss_after_mb = rssMB(child);
  note(`${name}: ${RATE} messages a second`);
  const text = JSON.stringify({ ...message, transactionId: 'bench-%2' });
  writeFileSync(`${dir}/one`, request(paths.one, text, {}, text.length + 7));
  result.pace = await paced(crowd, port, `${dir}/one`);
  await crowd.leave();
  await stop(child);
  return result;
}

async function hubMeasure() {
  const port = await freePort();
  const child = start(`${dir}/hub.log`, `${build}/compat_realtime_server`, [port]);
  await ready(`http://127.0.0.1:${port}/state`, child);
  return measure('hub', port, child, { each: `/emit?to=1&until=${PEOPLE}`, one: '/emit?to=%1' });
}

async function peerMeasure() {
  const port = await freePort();
  const child = start(`${dir}/peer.log`, process.execPath, ['bench/realtime/peer.js', port]);
  await ready(`http://127.0.0.1:${port}/`, child);
  return measure('socket.io', port, child, { each: `/emit?from=1&n=${PEOPLE}`, broadcast: '/broadcast', one: '/emit?from=%1&n=%1' });
}

// -- the whole program --

async function call(target, method, path, body, headers = { authorization: `ApiKey ${target.key}` }) {
  const answer = await fetch(`http://127.0.0.1:${target.port}${path}`, {
    method, headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers }, body: body && JSON.stringify(body) });
  if (answer.status >= 300) throw new Error(`${method} ${path} answered ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? undefined : (await answer.json()).data;
}

async function carillonStart(data) {
  const port = await freePort();
  const child = start(`${dir}/carillon.log`, `${build}/carillon`, ['serve', '--data-dir', data, '--listen', `127.0.0.1:${port}`]);
  await ready(`http://127.0.0.1:${port}/v1/health-check`, child);
  const [environment] = JSON.parse(readFileSync(`${data}/credentials.json`, 'utf8')).environments;
  return { child, port, key: environment.secretKey, app: environment.applicationIdentifier };
}

const workflow = { name: 'Comment', workflowId: WORKFLOW, active: true, __source: 'editor', steps: [{ name: 'Inbox', type: 'in_app',
  controlValues: { subject: '{{payload.actor}} commented', body: 'Hi {{subscriber.firstName}}, {{payload.actor}} says: {{payload.comment}}' } }] };
const payload = { actor: 'Charles Babbage', comment: 'Looks right.', likes: 1 };
const person = (i) => `p-${String(i).padStart(9, '0')}`;

const session = (target, subscriberId) =>
  call(target, 'POST', '/v1/inbox/session', { applicationIdentifier: target.app, subscriber: { subscriberId } }, {});

async function sessions(target, n) {
  const tokens = [];
  const worker = async (first) => {
    for (let i = first; i <= n; i += 16) tokens[i - 1] = (await session(target, person(i))).token;
  };
  await Promise.all(Array.from({ length: 16 }, (_, i) => worker(i + 1)));
  return tokens;
}

async function programMeasure() {
  note(`carillon: ${PEOPLE} sockets`);
  const target = await carillonStart(`${dir}/carillon`);
  await call(target, 'POST', '/v2/workflows', workflow);
  const tokens = await sessions(target, PEOPLE);
  const before = rssMB(target.child);
  const crowd = await Crowd.assemble(target.port, tokens);
  await sleep(3000);              // presence is written meanwhile
  const result = { connect_s: crowd.connected.seconds, rss_empty_mb: before, rss_mb: rssMB(target.child) };
  note(`carillon: ${RATE} triggers a second to their sockets`);
  const text = JSON.stringify({ name: WORKFLOW, to: { subscriberId: 'p-%1' }, transactionId: 'bench-%2.%3', payload });
  writeFileSync(`${dir}/trigger`, request('/v1/events/trigger', text, { Authorization: `ApiKey ${target.key}` }, text.length + 21));
  result.pace = await paced(crowd, target.port, `${dir}/trigger`);
  note('carillon: a topic of everybody');
  for (let i = 1; i <= PEOPLE; i += 100)
    await call(target, 'POST', '/v2/topics/everybody/subscriptions', { subscriberIds: Array.from({ length: Math.min(100, PEOPLE - i + 1) }, (_, k) => person(i + k)) });
  result.topic_ms = await several((i) => crowd.fire(target.port, PEOPLE, 'news', '/v1/events/trigger',
    { name: WORKFLOW, to: { type: 'Topic', topicKey: 'everybody' }, transactionId: `all-${i}`, payload }, { Authorization: `ApiKey ${target.key}` }));
  result.rss_after_mb = rssMB(target.child);
  await crowd.leave();
  await stop(target.child);
  return result;
}

// -- the Inbox of a full store --

const SIZES = [10_000, Number(process.env.BENCH_MESSAGES ?? 10_000_000)], EACH = 200, HUGE = 0.1, MEASURED = 49, ROUNDS = 9, REQUESTS = 400;
const filters = encodeURIComponent(JSON.stringify(['high', 'medium', 'low', 'none'].map((severity) => ({ severity, read: false, snoozed: false }))));
const asked = {
  'first page': '/v1/inbox/notifications?limit=10&archived=false&snoozed=false',
  'unread page': '/v1/inbox/notifications?limit=10&read=false&archived=false&snoozed=false',
  counts: `/v1/inbox/notifications/count?filters=${filters}`,
};

/** Nanoseconds of processor that all threads of a process have had: on a busy machine the clock says little. */
function cpuNs(pid) {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return ns;
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const get = (port, path, token) => new Promise((resolve, reject) => {
  httpRequest({ host: '127.0.0.1', port, path, agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
    let text = '';
    response.on('data', (part) => { text += part; });
    response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(`${path}: ${response.statusCode} ${text}`))));
  }).on('error', reject).end();
});

// Processor microseconds of one request, over the people in turn.
async function cost(store, path, tokens) {
  const before = cpuNs(store.child.pid);
  for (let i = 0; i < REQUESTS; i++) await get(store.port, path, tokens[i % tokens.length]);
  return (cpuNs(store.child.pid) - before) / REQUESTS / 1000;
}

async function storesFill() {
  const base = await carillonStart(`${dir}/base`);
  await call(base, 'POST', '/v2/workflows', workflow);
  for (let i = 1; i <= MEASURED; i++) await session(base, person(i));
  await session(base, 'huge');
  await call(base, 'POST', '/v1/events/trigger', { name: WORKFLOW, to: 'sample', payload });
  await sleep(500);
  await stop(base.child);
  const stores = [];
  for (const n of SIZES) {
    note(`filling a store with ${n} messages`);
    const data = `${dir}/store-${n}`;
    cpSync(`${dir}/base`, data, { recursive: true });
    await run(`${build}/bench_fill_inbox`, [`${data}/carillon.db`, n, EACH, n === SIZES[0] ? EACH : n * HUGE]);
    const store = await carillonStart(data);
    store.mb = statSync(`${data}/carillon.db`).size / 2 ** 20;
    store.tokens = [];
    for (let i = 1; i <= MEASURED; i++) store.tokens.push((await session(store, person(i))).token);
    store.huge = (await session(store, 'huge')).token;
    stores.push(store);
  }
  return stores;
}

async function inboxMeasure() {
  const stores = await storesFill(), result = { mb: stores.map((s) => s.mb) };
  const { data } = await get(stores[1].port, asked.counts, stores[1].huge);
  if (data.at(-1).count !== 100) throw new Error(`the huge Inbox counts ${JSON.stringify(data)}`);
  for (const [name, path] of Object.entries(asked)) {
    const runs = stores.map(() => ({ many: [], huge: [] }));
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, store] of stores.entries()) {
        runs[i].many.push(await cost(store, path, store.tokens));
        runs[i].huge.push(await cost(store, path, [store.huge]));
      }
    result[name] = { many: runs.map((r) => median(r.many)), huge: runs.map((r) => median(r.huge)) };
  }
  for (const store of stores) {
    await stop(store.child);
    rmSync(`${dir}/store-${SIZES[stores.indexOf(store)]}`, { recursive: true });
  }
  return result;
}

// -- the table --

const list = [];
const row = (...columns) => list.push(columns);
function table() {
  const width = list[0].map((_, i) => Math.max(...list.map((r) => String(r[i] ?? '').length)));
  for (const r of list) console.log(r.map((v, i) => (i ? String(v ?? '').padStart(width[i]) : String(v).padEnd(width[i]))).join('  ').trimEnd());
}
const fixed = (v, n = 1) => v.toFixed(n);
const perSocket = (r) => fixed(((r.rss_mb - r.rss_empty_mb) * 1024) / PEOPLE, 2);

const wanted = (process.argv[2] ?? 'sockets,inbox').split(',');
const result = {};
if (wanted.includes('sockets')) {
  row('', 'Carillon', 'socket.io', 'ratio', 'goal');
  const hub = (result.hub = await hubMeasure()), peer = (result.peer = await peerMeasure()), program = (result.program = await programMeasure());
  row(`RSS with ${PEOPLE} sockets, MB`, fixed(program.rss_mb), fixed(peer.rss_mb), `${fixed(peer.rss_mb / program.rss_mb)} ×`, '≤ 60');
  row('  a socket, kB', perSocket(program), perSocket(peer), '', '≤ 4');
  row('  after everything below, MB', fixed(program.rss_after_mb), fixed(peer.rss_after_mb));
  row('sockets opened /s', fixed(PEOPLE / program.connect_s, 0), fixed(PEOPLE / peer.connect_s, 0), `${fixed(peer.connect_s / program.connect_s)} ×`);
  row('to everybody a message and two counts, ms', fixed(hub.each_ms), fixed(peer.each_ms), `${fixed(peer.each_ms / hub.each_ms)} ×`, '≥ 5 ×');
  row('  socket.io: one event to all, io.emit, ms', '', fixed(peer.broadcast_ms));
  const middle = (runs) => `${fixed(median(runs.map((p) => p.p50_ms)), 2)}, ${fixed(median(runs.map((p) => p.p99_ms)), 2)}`;
  row(`trigger to socket at ${RATE}/s: p50, p99, ms`, middle(program.pace), '', '', 'p99 ≤ 10');
  row('  without engine and store: p50, p99, ms', middle(hub.pace), middle(peer.pace));
  row('a topic of everybody, stored and shown, ms', fixed(program.topic_ms, 0));
}
if (wanted.includes('inbox')) {
  const inbox = (result.inbox = await inboxMeasure());
  if (list.length > 1) row('');
  row('processor time of a request, µs; messages:', ...SIZES.map((n) => n.toLocaleString('en')), 'ratio', 'goal');
  for (const name of Object.keys(asked)) {
    const { many, huge } = inbox[name];
    row(`  ${name}: ${EACH} messages each`, ...many.map((v) => fixed(v)), `${fixed(many[1] / many[0], 2)} ×`, '≤ 1.3 ×');
    row(`  ${name}: the same, and ${(SIZES[1] * HUGE).toLocaleString('en')} of one person`, ...huge.map((v) => fixed(v)), `${fixed(huge[1] / huge[0], 2)} ×`, '≤ 1.3 ×');
  }
  row('  the store, MB', ...inbox.mb.map((v) => fixed(v, 0)));
}
writeFileSync('build/bench_realtime.json', `${JSON.stringify(result, null, 2)}\n`);
table();
process.exit(0);
