// What must not grow with what is stored: fan-out to many, timers that wait, pages of long lists.
// BENCH_ONLY=topic,timers,lists (a part of them), BENCH_DIR (scratch), BENCH_PEOPLE, BENCH_TIMERS, BENCH_ROWS (sizes).
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { freePort, ready, runJson, scratch, sleep, start, stop } from './processes.js';

const only = process.env.BENCH_ONLY?.split(',');
const wanted = (part) => !only || only.includes(part);
const build = process.env.BENCH_BUILD ?? 'build';
const dir = scratch();
const result = {};
const number = (name, standard) => Number(process.env[name] ?? standard);

async function serve(data) {
  const port = await freePort();
  const child = start(`${dir}/carillon.log`, `${build}/carillon`, ['serve', '--data-dir', data, '--listen', `127.0.0.1:${port}`]);
  const url = `http://127.0.0.1:${port}`;
  await ready(`${url}/v1/health-check`, child);
  const [environment] = JSON.parse(readFileSync(`${data}/credentials.json`, 'utf8')).environments;
  const call = async (method, path, body) => {
    const answer = await fetch(`${url}${path}`, { method, body: body && JSON.stringify(body),
      headers: { 'content-type': 'application/json', authorization: `ApiKey ${environment.secretKey}` } });
    const json = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status} ${JSON.stringify(json)}`);
    return json;
  };
  const metric = async (name) => {
    const line = (await (await fetch(`${url}/metrics`)).text()).split('\n').find((l) => l.startsWith(`${name} `));
    return line ? Number(line.slice(name.length + 1)) : 0;
  };
  return { child, port, url, key: environment.secretKey, call, metric };
}

const workflow = (name, steps) => ({ name, workflowId: name, active: true, __source: 'editor', steps });
const inbox = { name: 'Inbox', type: 'in_app', controlValues: { subject: 'News of {{payload.about}}', body: 'Hi {{subscriber.firstName | default: "there"}}' } };

const storeFile = (data) => `${data}/${readdirSync(data).find((f) => f.endsWith('.db'))}`;
const sql = (data, script) => execFileSync(`${build}/bench_sql`, [storeFile(data)], { input: script, stdio: ['pipe', 'inherit', 'inherit'] });
const count = (n) => `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${n - 1})`;

// Every column but those given is as in the first row that is there.
function copies(data, table, n, columns) {
  return `${count(n)} INSERT INTO ${table} (${['$rest', ...Object.keys(columns)].join(', ')})
    SELECT $rest, ${Object.values(columns).join(', ')} FROM n, (SELECT * FROM ${table} ORDER BY rowid LIMIT 1);`
    .replaceAll('$rest', COLUMNS[table].filter((c) => !(c in columns)).join(', '));
}
const COLUMNS = {};
function columnsRead(data) {
  const text = execFileSync('sqlite3', [storeFile(data), "SELECT m.name || ' ' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'"], { encoding: 'utf8' });
  for (const [table, column] of text.trim().split('\n').map((l) => l.split(' '))) (COLUMNS[table] ??= []).push(column);
}

const memory = (child) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;
// Seconds of processor time that a process has used.
const used = (child) => readdirSync(`/proc/${child.pid}/task`)
  .reduce((ns, task) => ns + Number(readFileSync(`/proc/${child.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]), 0) / 1e9;

async function until(f, ms) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(5)) if (await f()) return;
  throw new Error('it took too long');
}

// -- a topic of many --

async function topic() {
  const people = number('BENCH_PEOPLE', 100_000), data = `${dir}/topic`;
  let s = await serve(data);
  await s.call('POST', '/v2/workflows', workflow('news', [inbox]));
  await s.call('POST', '/v2/workflows', workflow('small', [inbox]));
  await s.call('POST', '/v2/topics', { key: 'all', name: 'All' });
  await s.call('POST', '/v2/subscribers', { subscriberId: 'first', firstName: 'Jo' });
  await s.call('POST', '/v2/topics/all/subscriptions', { subscriptions: ['first'] });
  await stop(s.child);
  sql(data, copies(data, 'subscribers', people, { id: 'id12(1, i)', subscriber_id: "printf('p%07d', i)", first_name: "'Jo'" })
    + copies(data, 'topic_subscriptions', people, { id: 'id12(2, i)', subscriber_id: 'id12(1, i)', identifier: "printf('s%07d', i)" }));
  s = await serve(data);
  const messages = () => s.metric('carillon_messages_created_total{channel="in_app"}');
  const rows = () => s.metric('carillon_rows_written_total');
  const fan = async () => {
    const before = await messages(), begin = process.hrtime.bigint(), cpu = used(s.child);
    await s.call('POST', '/v1/events/trigger', { name: 'news', to: { type: 'Topic', topicKey: 'all' }, payload: { about: 'today' } });
    await until(async () => await messages() >= before + people, 300_000);
    return { seconds: Number(process.hrtime.bigint() - begin) / 1e9, cpu: used(s.child) - cpu };
  };
  const rowsBefore = await rows();
  const alone = await fan();
  result.topic = { people, runs_per_second: Math.round(people / alone.seconds), cpu_us_per_run: Number((1e6 * alone.cpu / people).toFixed(1)),
    rows_per_run: Number(((await rows() - rowsBefore) / people).toFixed(2)), rss_mb: Math.round(memory(s.child)) };
  const fanning = fan();
  const small = await runJson(`${build}/bench_load`, ['--port', s.port, '--key', s.key, '--workflow', 'small', '--prefix', 'small',
    '--subscribers', 100, '--connections', 8, '--rate', 50, '--requests', 250, '--seconds', 20]);
  await fanning;
  result.topic.small_p50_ms = small.p50_ms;
  result.topic.small_p99_ms = small.p99_ms;
  await stop(s.child);
}

// -- timers that wait --

async function timers() {
  const n = number('BENCH_TIMERS', 1_000_000), data = `${dir}/timers`;
  let s = await serve(data);
  await s.call('POST', '/v2/workflows', workflow('later', [{ name: 'Wait', type: 'delay', controlValues: { type: 'regular', amount: 1, unit: 'days' } }, inbox]));
  await s.call('POST', '/v1/events/trigger', { name: 'later', to: { subscriberId: 'first' }, payload: { about: 'then' } });
  await stop(s.child);
  const port = await freePort();
  const start = () => runJson(`${build}/bench_ready`, [port, 1, `${build}/carillon`, 'serve', '--data-dir', data, '--listen', `127.0.0.1:${port}`]);
  const empty = await start();
  sql(data, copies(data, 'runs', n, { id: 'id12(3, i)' }) + copies(data, 'queue', n, { id: 'id12(4, i)', ref: 'id12(3, i)', due_at: `due_at + i % 86400000` }));
  const full = await start();
  s = await serve(data);
  await sleep(2000);
  const cpu = used(s.child);
  await sleep(20_000);
  result.timers = { n, ready_ms: full.ready_ms, ready_ms_without: empty.ready_ms, idle_cpu_ms_per_second: (used(s.child) - cpu) / 20 * 1e3,
    rss_mb: Number(memory(s.child).toFixed(1)), rss_mb_without: Number(empty.rss_mb.toFixed(1)) };
  await stop(s.child);
  await due(data, n);
}

// All that waited is due at once, as after downtime: what each costs, and what it takes of memory.
async function due(data, n) {
  const some = Math.min(n, number('BENCH_DUE', 100_000));
  sql(data, `UPDATE queue SET due_at = 1000 + rowid WHERE rowid <= ${some};`);
  const s = await serve(data);
  const cpu = used(s.child), begin = Date.now();
  await until(async () => (await s.metric('carillon_messages_created_total{channel="in_app"}')) >= some, 300_000);
  Object.assign(result.timers, { due: some, fired_per_second: Math.round(some / (Date.now() - begin) * 1e3),
    fired_cpu_us_each: Number((1e6 * (used(s.child) - cpu) / some).toFixed(1)), fired_rss_mb: Number(memory(s.child).toFixed(1)) });
  await stop(s.child);
}

// -- pages of long lists --

const LIST_REQUESTS = 300;

// The same first pages and pages far behind, with few rows and with many.
async function lists() {
  const sizes = [10_000, number('BENCH_ROWS', 1_000_000)], times = {};
  for (const n of sizes) {
    const data = `${dir}/lists${n}`;
    let s = await serve(data);
    await s.call('POST', '/v2/workflows', workflow('news', [inbox]));
    await s.call('POST', '/v1/events/trigger', { name: 'news', to: { subscriberId: 'first' }, transactionId: 'tx', payload: { about: 'x' } });
    await s.call('POST', '/v2/topics', { key: 'all', name: 'All' });
    await until(async () => (await s.metric('carillon_messages_created_total{channel="in_app"}')) >= 1, 5000);
    await stop(s.child);
    sql(data, copies(data, 'subscribers', n, { id: 'id12(1, i)', subscriber_id: "printf('p%07d', i)", created_at: 'created_at + i', updated_at: 'updated_at + i' })
      + copies(data, 'events', n, { id: 'id12(2, i)', transaction_id: "printf('t%07d', i)" })
      + copies(data, 'runs', n, { id: 'id12(2, i)', event_id: 'id12(2, i)', subscriber_id: `id12(1, i % ${n / 50})` })
      + copies(data, 'messages', n, { id: 'id12(2, i)', run_id: 'id12(2, i)', subscriber_id: `id12(1, i % ${n / 50})` })
      + copies(data, 'topics', n, { id: 'id12(5, i)', key: "printf('k%07d', i)", updated_at: 'updated_at + i' }));
    s = await serve(data);
    const pages = { subscribers: '/v2/subscribers?limit=10', subscribers_by_change: '/v2/subscribers?limit=10&orderBy=updatedAt&orderDirection=ASC',
      subscriber: '/v2/subscribers/p0000077', topics: '/v2/topics?limit=10', notifications: '/v1/notifications?page=0&limit=10',
      notifications_of_transaction: '/v1/notifications?transactionId=t0000077', notifications_of_subscriber: '/v1/notifications?subscriberIds=p0000077',
      messages: '/v1/messages?limit=10', messages_of_subscriber: '/v1/messages?subscriberId=p0000077', messages_of_transaction: '/v1/messages?transactionId=t0000077' };
    for (const [name, path] of Object.entries(pages)) {
      await s.call('GET', path);
      const cpu = used(s.child), times1 = [];
      for (let i = 0; i < LIST_REQUESTS; i++) {
        const begin = process.hrtime.bigint();
        await s.call('GET', path);
        times1.push(Number(process.hrtime.bigint() - begin) / 1e6);
      }
      (times[name] ??= {})[n] = Number(times1.sort((a, b) => a - b)[LIST_REQUESTS / 10].toFixed(2));
      times[name][`cpu_ms_${n}`] = Number(((used(s.child) - cpu) / LIST_REQUESTS * 1e3).toFixed(3));
    }
    await stop(s.child);
  }
  result.lists = times;
}

if (wanted('topic') || wanted('timers') || wanted('lists')) {
  const s = await serve(`${dir}/schema`);
  await stop(s.child);
  columnsRead(`${dir}/schema`);
}
if (wanted('topic')) await topic();
if (wanted('timers')) await timers();
if (wanted('lists')) await lists();
writeFileSync(`${build}/scale.json`, `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result, null, 2));
process.exit(0);
