// Runs every bench on this machine, one after the other, and prints one table; the numbers go to build/bench.json.
// Medians of three runs. At most five minutes, all on loopback, everything stopped at the end.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { atExit, freePort, has, ready, run, runJson, runQuietly, scratch, sleep, start, stop } from './processes.js';

const RUNS = 3;
const LIMIT_MS = 300_000;
const SUBSCRIBERS = 10_000;
const PEAK_CONNECTIONS = Number(process.env.BENCH_CONNECTIONS ?? 256);
const WORKFLOW = 'bench-comment';
const SUBJECT = '{{payload.actor}} commented on {{payload.postTitle}}';
const BODY = 'Hi {{subscriber.firstName | default: "there"}}, {{payload.actor}} says: {{payload.comment | truncate: 80}} ({{payload.likes}} likes)';

const only = process.env.BENCH_ONLY?.split(',');
const wanted = (part) => !only || only.includes(part);
const build = process.env.BENCH_BUILD ?? 'build';
const server = `${build}/carillon`;
const dir = scratch();
const result = { runs: RUNS };

setTimeout(() => { console.error('bench: stopped after five minutes'); process.exit(1); }, LIMIT_MS).unref();
const note = (text) => process.stderr.write(`${text}\n`);

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

// One object with the median of every number of several runs' objects.
function medians(runs) {
  return Object.fromEntries(Object.keys(runs[0]).filter((k) => typeof runs[0][k] === 'number')
    .map((k) => [k, median(runs.map((r) => r[k]))]));
}

async function several(n, f) {
  const runs = [];
  for (let i = 0; i < n; i++) runs.push(await f(i));
  return { ...medians(runs), each: runs.map((r) => r.rate).filter(Boolean) };
}

// -- triggers, to either server --

// target: {port, key, counter, counterPort}
const load = (target, prefix, options) => runJson(`${build}/bench_load`, [
  '--port', target.port, '--key', target.key, '--workflow', WORKFLOW, '--prefix', prefix, '--subscribers', SUBSCRIBERS,
  '--counter', target.counter, '--label', 'channel="in_app"', '--counter-port', target.counterPort ?? target.port,
  ...Object.entries(options).flatMap(([k, v]) => [`--${k}`, v])]);

// aside: called before and after the peak's runs.
async function triggersMeasure(name, target, requests, aside = async () => {}) {
  note(`${name}: triggers`);
  const stamp = Date.now().toString(36);
  await load(target, `${stamp}w`, { connections: 64, requests: 10_000 });
  await aside();
  const peak = await several(RUNS, (i) => load(target, `${stamp}p${i}`, { connections: PEAK_CONNECTIONS, requests, seconds: 20 }));
  await aside();
  const rate = Math.round(peak.rate / 10);
  const tenth = await several(RUNS, (i) => load(target, `${stamp}o${i}`, { connections: 64, requests: rate * 3, rate, seconds: 8 }));
  return { peak, tenth };
}

async function socketMeasure(name, target) {
  note(`${name}: trigger to socket`);
  return several(RUNS, () => runJson(process.execPath, ['bench/socket_latency.js', `--port=${target.port}`,
    `--socket-port=${target.socketPort ?? target.port}`, `--key=${target.key}`, `--app=${target.app}`, `--workflow=${WORKFLOW}`]));
}

// -- Carillon --

async function carillonMetrics(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return new Map(text.split('\n').filter((l) => l && l[0] !== '#').map((l) => [l.slice(0, l.lastIndexOf(' ')), Number(l.slice(l.lastIndexOf(' ') + 1))]));
}

async function carillonStart(data) {
  const port = await freePort();
  const child = start(`${dir}/carillon.log`, server, ['serve', '--data-dir', data, '--listen', `127.0.0.1:${port}`]);
  await ready(`http://127.0.0.1:${port}/v1/health-check`, child);
  const [environment] = JSON.parse(readFileSync(`${data}/credentials.json`, 'utf8')).environments;
  return { child, port, key: environment.secretKey, app: environment.applicationIdentifier, counter: 'carillon_messages_created_total' };
}

async function workflowCreate(target) {
  const answer = await fetch(`http://127.0.0.1:${target.port}/v2/workflows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `ApiKey ${target.key}` },
    body: JSON.stringify({ name: 'Comment', workflowId: WORKFLOW, active: true, __source: 'editor',
      steps: [{ name: 'Inbox', type: 'in_app', controlValues: { subject: SUBJECT, body: BODY } }] }),
  });
  if (answer.status !== 201) throw new Error(`creating the workflow answered ${answer.status} ${await answer.text()}`);
}

// What a trigger costs the store, by the server's own counters.
function growth(before, after) {
  const grown = (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  const triggers = grown('carillon_messages_created_total{channel="in_app"}'), commits = grown('carillon_commits_total');
  return {
    rows_per_trigger: Number((grown('carillon_rows_written_total') / triggers).toFixed(2)),
    triggers_per_commit: Number((triggers / commits).toFixed(1)),
    commit_ms: Number((1000 * grown('carillon_commit_seconds_sum') / commits).toFixed(2)),
  };
}

async function carillonMeasure() {
  const data = `${dir}/carillon`;
  const target = await carillonStart(data);
  await workflowCreate(target);
  const counters = [];
  result.carillon = await triggersMeasure('carillon', target, 60_000, async () => { counters.push(await carillonMetrics(target.port)); });
  Object.assign(result.carillon, growth(...counters));
  if (wanted('socket')) result.carillon.socket = await socketMeasure('carillon', target);
  result.carillon.rss_mb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${target.child.pid}/status`, 'utf8'))[1]) / 1024;
  await stop(target.child);
  return storeFile(data);
}

function storeFile(data) {
  const file = readdirSync(data).find((f) => f.endsWith('.db'));
  if (!file) throw new Error(`${data} holds no *.db`);
  return `${data}/${file}`;
}

async function idleMeasure() {
  note('idle and start');
  const data = `${dir}/idle`;
  const target = await carillonStart(data);
  await workflowCreate(target);
  await load(target, 'idle', { connections: 1, requests: 1 });
  await stop(target.child);
  const port = await freePort();
  const once = () => runJson(`${build}/bench_ready`, [port, 1, server, 'serve', '--data-dir', data, '--listen', `127.0.0.1:${port}`]);
  result.idle = { empty: await several(RUNS, once) };
  await run(`${build}/bench_fill`, [storeFile(data), 1_000_000]);
  result.idle.million = await several(RUNS, once);
}

async function rawMeasure(sample) {
  note('raw SQLite');
  const batch = Math.max(1, Math.round(result.carillon.triggers_per_commit || 100));
  const once = (mode) => () => runJson(`${build}/bench_raw_trigger`, [sample, `${dir}/raw.db`, batch, 2, SUBSCRIBERS, mode]);
  const writer = await run(`${build}/bench_raw_sqlite`, [500, 256, 2, dir]);
  result.writer = { raw_rows: Number(/automatic checkpoints +(\d+)/.exec(writer)[1]), rows: Number(/writer_submit.*? threads +(\d+)/.exec(writer)[1]) };
  result.raw = { plain: await several(RUNS, once('plain')), indexed: await several(RUNS, once('indexed')) };
}

// -- the peer --

async function peerMeasure() {
  if (!has('redis-server') || !readdirSync('/usr/lib').includes('postgresql')) {
    note('peer: left out: redis-server or postgresql is not installed');
    return;
  }
  const [api, worker, redis, postgres] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const env = {
    PEER_API_PORT: String(api), PEER_WORKER_PORT: String(worker), PEER_REDIS_PORT: String(redis), PEER_POSTGRES_PORT: String(postgres),
    PEER_POSTGRES_URL: `postgres://postgres@127.0.0.1:${postgres}/peer`, REDIS_FSYNC: process.env.REDIS_FSYNC ?? 'always',
  };
  const services = `${dir}/peer`;
  atExit(() => runQuietly('bench/peer/services.sh', ['stop', services], env));
  runQuietly('chmod', ['755', dir]);
  runQuietly('bench/peer/services.sh', ['start', services], env);
  runQuietly(process.execPath, ['bench/peer/setup.js', WORKFLOW, SUBJECT, BODY], env);
  const processes = ['api', 'worker'].map((p) => start(`${dir}/peer-${p}.log`, process.execPath, [`bench/peer/${p}.js`], env));
  await ready(`http://127.0.0.1:${api}/v1/health-check`, processes[0]);
  await ready(`http://127.0.0.1:${worker}/metrics`, processes[1]);
  const target = { port: api, counterPort: worker, socketPort: worker, key: 'peer-secret-key', app: 'peer-app', counter: 'peer_messages_created_total' };
  result.peer = { redis_fsync: env.REDIS_FSYNC, ...await triggersMeasure('peer', target, 12_000) };
  if (wanted('socket')) result.peer.socket = await socketMeasure('peer', target);
  for (const p of processes) await stop(p);
}

// -- the table --

const round = (v, digits = 0) => (v === undefined ? '' : v.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits }));

function machineLine() {
  const cpus = os.cpus();
  const fs = runFs();
  return `${cpus.length} × ${cpus[0].model.trim()}, ${round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, ${fs} at ${dir.split('/').slice(0, -1).join('/')}, Node ${process.version}, load average ${os.loadavg()[0].toFixed(1)} before`;
}

function runFs() {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n').map((l) => l.split(' ')).filter((m) => m[1] && `${dir}/`.startsWith(m[1] === '/' ? '/' : `${m[1]}/`));
  return mounts.sort((a, b) => b[1].length - a[1].length)[0]?.[2] ?? 'unknown';
}

function rows() {
  const { carillon: c, peer: p, raw, idle } = result;
  const ratio = (a, b) => (a && b ? `${round(a / b, 2)} ×` : '');
  const list = [];
  const row = (what, mine, other = '', of = '', goal = '') => list.push([what, mine, other, of, goal]);
  if (c) {
    row('triggers accepted /s (durable)', round(c.peak.rate), p && round(p.peak.rate), p && `${ratio(c.peak.rate, p.peak.rate)} peer`);
    row('  against raw SQLite, same rows', round(c.peak.rate), raw && round(raw.plain.rate), raw && `${ratio(c.peak.rate, raw.plain.rate)} raw`, '≥ 0.3');
    row('  against raw SQLite, same rows and indexes', round(c.peak.rate), raw && round(raw.indexed.rate), raw && `${ratio(c.peak.rate, raw.indexed.rate)} raw`);
    row('end to end /s (message stored)', round(c.peak.stored_rate), p && round(p.peak.stored_rate), p && `${ratio(c.peak.stored_rate, p.peak.stored_rate)} peer`, '≥ 10');
    row('  p50, p99 at the peak, ms', `${round(c.peak.p50_ms, 1)}, ${round(c.peak.p99_ms, 1)}`, p && `${round(p.peak.p50_ms, 1)}, ${round(p.peak.p99_ms, 1)}`);
    row('  p50, p99 at a tenth of it, ms', `${round(c.tenth.p50_ms, 2)}, ${round(c.tenth.p99_ms, 2)}`, p && `${round(p.tenth.p50_ms, 2)}, ${round(p.tenth.p99_ms, 2)}`, '', 'p99 < 10');
    row('rows a trigger; triggers a commit', `${round(c.rows_per_trigger, 2)}; ${round(c.triggers_per_commit, 1)}`, '', '', 'rows ≤ 3');
    if (c.socket) row('trigger to socket, idle: p50, p99, ms', `${round(c.socket.event_p50_ms, 2)}, ${round(c.socket.event_p99_ms, 2)}`, p?.socket && `${round(p.socket.event_p50_ms, 2)}, ${round(p.socket.event_p99_ms, 2)}`, '', 'p50 ≤ 5');
    row('RSS after the load, MB', round(c.rss_mb, 1));
  }
  if (result.writer) row('one table: rows /s through the writer', round(result.writer.rows), round(result.writer.raw_rows), `${ratio(result.writer.rows, result.writer.raw_rows)} raw`);
  if (idle) {
    row('idle RSS, MB', round(idle.empty.rss_mb, 1), '', '', '≤ 25');
    row('start to ready, ms', round(idle.empty.ready_ms, 1), '', '', '≤ 100');
    row('  with 1 M subscribers: ready ms, RSS MB', `${round(idle.million.ready_ms, 1)}, ${round(idle.million.rss_mb, 1)}`, '', '', '≤ 100');
  }
  return list.map((r) => r.map((v) => v || ''));
}

function tablePrint() {
  const list = [['', 'Carillon', 'other', 'ratio', 'goal'], ...rows()];
  const width = list[0].map((_, i) => Math.max(...list.map((r) => r[i].length)));
  console.log(`\n${result.machine}\nmedian of ${RUNS} runs${result.peer ? `; peer: Redis appendfsync ${result.peer.redis_fsync}` : ''}\n`);
  for (const r of list) console.log(r.map((v, i) => (i === 0 ? v.padEnd(width[i]) : v.padStart(width[i]))).join('  ').trimEnd());
}

result.machine = machineLine();
if (wanted('idle')) await idleMeasure();
if (wanted('carillon')) {
  const sample = await carillonMeasure();
  await sleep(500);
  if (wanted('raw')) await rawMeasure(sample);
}
if (wanted('peer')) await peerMeasure();
writeFileSync('build/bench.json', `${JSON.stringify(result, null, 2)}\n`);
tablePrint();
process.exit(0);
