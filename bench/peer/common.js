// What the peer's two processes share: settings, connections, keys and tokens.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';

const env = process.env;

export const settings = {
  apiPort: Number(env.PEER_API_PORT ?? 4100),
  workerPort: Number(env.PEER_WORKER_PORT ?? 4101),
  redisPort: Number(env.PEER_REDIS_PORT ?? 4102),
  postgresUrl: env.PEER_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:4103/peer',
  secretKey: env.PEER_SECRET_KEY ?? 'peer-secret-key',
  applicationIdentifier: env.PEER_APPLICATION_IDENTIFIER ?? 'peer-app',
  concurrency: Number(env.PEER_CONCURRENCY ?? 64),
  poolSize: Number(env.PEER_POOL ?? 16),
};

export const QUEUE = 'triggers';

// Commands of one turn of the event loop go to Redis in one write.
export function redisConnect() {
  return new Redis({
    host: '127.0.0.1', port: settings.redisPort, maxRetriesPerRequest: null, enableAutoPipelining: true,
  });
}

export function postgresConnect(max) {
  return new pg.Pool({ connectionString: settings.postgresUrl, max });
}

export const keyHash = (key) => createHash('sha256').update(key).digest();

const base64url = (v) => Buffer.from(v).toString('base64url');
const signature = (text) => createHmac('sha256', settings.secretKey).update(text).digest();

export function tokenSign(claims) {
  const text = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${signature(text).toString('base64url')}`;
}

// The claims, or null.
export function tokenVerify(token) {
  const [head, body, sig] = String(token).split('.');
  if (!sig) return null;
  const given = Buffer.from(sig, 'base64url');
  const wanted = signature(`${head}.${body}`);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  return claims.exp * 1000 > Date.now() ? claims : null;
}
