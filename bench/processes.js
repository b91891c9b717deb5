// What a bench starts, it stops: child processes, free ports, a scratch directory, all gone at exit.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import net from 'node:net';

const children = new Set();
const cleanups = [];
let over = false;

// Runs at exit, last registered first.
export const atExit = (f) => cleanups.push(f);

function cleanUp() {
  if (over) return;
  over = true;
  for (const child of children) child.kill('SIGKILL');
  for (const f of cleanups.reverse()) {
    try { f(); } catch (e) { console.error(`bench: ${e.message}`); }
  }
}
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
process.on('uncaughtException', (e) => { console.error(`bench: ${e.stack}`); process.exit(1); });
process.on('unhandledRejection', (e) => { console.error(`bench: ${e?.stack ?? e}`); process.exit(1); });

// A directory that is removed at exit.
export function scratch() {
  const dir = mkdtempSync(process.env.BENCH_DIR ? `${process.env.BENCH_DIR}/bench.` : '/var/tmp/carillon-bench.');
  atExit(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// A program in the background; its output goes to the file log.
export function start(log, program, args, env = {}) {
  const out = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', out, out], env: { ...process.env, ...env } });
  children.add(child);
  child.ended = new Promise((resolve) => child.on('exit', (code, signal) => { children.delete(child); resolve(code ?? signal); }));
  return child;
}

export async function stop(child) {
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await child.ended;
  clearTimeout(limit);
}

// A program to its end; its standard output as text. Asynchronous, so that signals are still heard.
export function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args.map(String), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    children.add(child);
    let out = '', said = '';
    child.stderr.on('data', (part) => { said += part; });
    child.stdout.on('data', (part) => { out += part; });
    child.on('error', reject);
    child.on('close', (code) => {
      children.delete(child);
      if (code === 0) resolve(out);
      else reject(new Error(`${program} ${args.join(' ')}: exit ${code}\n${out}${said}`));
    });
  });
}

export const runJson = async (...args) => JSON.parse(await run(...args));

export const runQuietly = (program, args, env = {}) =>
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });

export const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Waits until GET url is 200.
export async function ready(url, child) {
  for (let i = 0; i < 600; i++) {
    const answer = await fetch(url).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    if (child.exitCode !== null) throw new Error(`${url}: the server ended with ${child.exitCode}`);
    await sleep(50);
  }
  throw new Error(`${url}: not ready after 30 s`);
}
