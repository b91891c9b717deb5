// The peer's API process: authenticates and validates a trigger, and acknowledges it once Redis has it.
import { randomBytes } from 'node:crypto';
import Fastify from 'fastify';
import { Queue } from 'bullmq';
import { QUEUE, keyHash, postgresConnect, redisConnect, settings, tokenSign } from './common.js';

const pool = postgresConnect(4);
const queue = new Queue(QUEUE, {
  connection: redisConnect(),
  defaultJobOptions: { removeOnComplete: true, removeOnFail: 1000, attempts: 3 },
});
const app = Fastify({ logger: false, bodyLimit: 1 << 20 });

const CACHE_MS = 30_000;
const cache = new Map();

// What load() gave for this key, at most CACHE_MS old; misses are not kept.
async function cached(key, load) {
  const hit = cache.get(key);
  if (hit && hit.until > Date.now()) return hit.value;
  const value = await load();
  if (value) cache.set(key, { value, until: Date.now() + CACHE_MS });
  return value;
}

const environmentOf = (key) => cached(`key:${key}`, async () => {
  const r = await pool.query('SELECT id FROM environments WHERE api_key_hash = $1', [keyHash(key)]);
  return r.rows[0];
});

const workflowOf = (environmentId, identifier) => cached(`wf:${environmentId}:${identifier}`, async () => {
  const r = await pool.query('SELECT id, active FROM workflows WHERE environment_id = $1 AND identifier = $2',
    [environmentId, identifier]);
  return r.rows[0];
});

async function authenticate(request, reply) {
  const header = request.headers.authorization ?? '';
  const environment = header.startsWith('ApiKey ') ? await environmentOf(header.slice(7)) : null;
  if (!environment) return reply.code(401).send({ statusCode: 401, message: 'API Key not found' });
  request.environmentId = environment.id;
}

const triggerSchema = {
  body: {
    type: 'object',
    required: ['name', 'to'],
    properties: {
      name: { type: 'string', minLength: 1 },
      transactionId: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[^:]+$' },
      payload: { type: 'object', default: {} },
      to: {
        type: 'object',
        required: ['subscriberId'],
        properties: {
          subscriberId: { type: 'string', minLength: 1, maxLength: 256 },
          firstName: { type: 'string' }, lastName: { type: 'string' }, email: { type: 'string' },
        },
      },
    },
  },
  response: {
    201: {
      type: 'object',
      properties: {
        data: {
          type: 'object',
          properties: {
            acknowledged: { type: 'boolean' }, status: { type: 'string' }, transactionId: { type: 'string' },
          },
        },
      },
    },
  },
};

app.post('/v1/events/trigger', { schema: triggerSchema, preHandler: authenticate }, async (request, reply) => {
  const event = request.body;
  const workflow = await workflowOf(request.environmentId, event.name);
  if (!workflow) return reply.code(422).send({ statusCode: 422, message: 'workflow_not_found', errors: {} });
  const transactionId = event.transactionId ?? `txn_${randomBytes(12).toString('hex')}`;
  reply.code(201);
  if (!workflow.active) return { data: { acknowledged: true, status: 'trigger_not_active', transactionId } };
  // The job's id makes a repeated transaction a no-op while the first is in the queue; the unique index of
  // notifications does so afterwards.
  await queue.add('trigger', {
    environmentId: request.environmentId, workflowId: workflow.id, transactionId, to: event.to, payload: event.payload,
  }, { jobId: transactionId });
  return { data: { acknowledged: true, status: 'processed', transactionId } };
});

app.post('/v1/inbox/session', async (request, reply) => {
  const { applicationIdentifier, subscriber } = request.body ?? {};
  if (applicationIdentifier !== settings.applicationIdentifier || !subscriber?.subscriberId) {
    return reply.code(400).send({ statusCode: 400, message: 'Please provide a valid application identifier' });
  }
  const r = await pool.query(
    `INSERT INTO subscribers (environment_id, subscriber_id) SELECT id, $1 FROM environments
     ON CONFLICT (environment_id, subscriber_id) DO UPDATE SET updated_at = now() RETURNING id`,
    [subscriber.subscriberId]);
  reply.code(201);
  return { data: { token: tokenSign({ _id: r.rows[0].id, exp: Math.floor(Date.now() / 1000) + 86400 }) } };
});

app.get('/v1/health-check', async () => ({ data: { status: 'ok' } }));

await app.listen({ host: '127.0.0.1', port: settings.apiPort });
process.on('SIGTERM', () => process.exit(0));
