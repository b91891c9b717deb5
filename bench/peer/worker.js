// The peer's worker process: takes triggers from BullMQ, renders, stores, and emits to the sockets it holds.
import { createServer } from 'node:http';
import { Worker } from 'bullmq';
import { Liquid } from 'liquidjs';
import { Server } from 'socket.io';
import { QUEUE, postgresConnect, redisConnect, settings, tokenVerify } from './common.js';

const pool = postgresConnect(settings.poolSize);
const liquid = new Liquid();
const workflows = new Map();
let messagesCreated = 0;

async function workflowLoad(id) {
  const known = workflows.get(id);
  if (known) return known;
  const r = await pool.query('SELECT identifier, steps FROM workflows WHERE id = $1', [id]);
  const [step] = r.rows[0].steps;
  const workflow = { subject: liquid.parse(step.subject), body: liquid.parse(step.body), step: step.name };
  workflows.set(id, workflow);
  return workflow;
}

// Everything that one notification leaves behind, in one statement: one round trip, one commit. No row comes
// back when this transaction was stored before.
const STORE = {
  name: 'store',
  text: `
    WITH subscriber AS (
      INSERT INTO subscribers AS s (environment_id, subscriber_id, first_name, last_name, email)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (environment_id, subscriber_id) DO UPDATE SET
        first_name = coalesce(excluded.first_name, s.first_name),
        last_name = coalesce(excluded.last_name, s.last_name),
        email = coalesce(excluded.email, s.email), updated_at = now()
      WHERE (s.first_name, s.last_name, s.email) IS DISTINCT FROM
        (coalesce(excluded.first_name, s.first_name), coalesce(excluded.last_name, s.last_name),
         coalesce(excluded.email, s.email))
      RETURNING id
    ), who AS (
      SELECT id FROM subscriber
      UNION ALL SELECT id FROM subscribers WHERE environment_id = $1 AND subscriber_id = $2 LIMIT 1
    ), notification AS (
      INSERT INTO notifications (environment_id, workflow_id, subscriber_id, transaction_id, payload)
      SELECT $1, $6, id, $7, $8 FROM who
      ON CONFLICT DO NOTHING RETURNING id, subscriber_id
    ), trigger_job AS (
      INSERT INTO jobs (notification_id, step, type, status)
      SELECT id, 'trigger', 'trigger', 'completed' FROM notification
    ), job AS (
      INSERT INTO jobs (notification_id, step, type, status)
      SELECT id, $11, 'in_app', 'completed' FROM notification RETURNING id
    ), details AS (
      INSERT INTO execution_details (job_id, detail, status, source)
      SELECT job.id, d.detail, d.status, 'Internal' FROM job, (VALUES
        ('Step queued', 'Pending'), ('Message created', 'Pending'), ('Message sent', 'Success')) AS d (detail, status)
    )
    INSERT INTO messages (environment_id, subscriber_id, notification_id, job_id, transaction_id, subject, content, payload)
    SELECT $1, n.subscriber_id, n.id, job.id, $7, $9, $10, $8 FROM notification n, job
    RETURNING id, subscriber_id, notification_id, created_at`,
};

async function jobRun(job) {
  const { environmentId, workflowId, transactionId, to, payload } = job.data;
  const workflow = await workflowLoad(workflowId);
  const scope = { subscriber: to, payload };
  const subject = liquid.renderSync(workflow.subject, scope);
  const content = liquid.renderSync(workflow.body, scope);
  const store = () => pool.query({
    ...STORE,
    values: [environmentId, to.subscriberId, to.firstName ?? null, to.lastName ?? null, to.email ?? null,
      workflowId, transactionId, payload, subject, content, workflow.step],
  });
  let r = await store();
  // Nothing was stored: a duplicate, or the subscriber was being created by another job, which is seen now.
  if (r.rows.length === 0) r = await store();
  if (r.rows.length === 0) return;
  messagesCreated++;
  await emit(r.rows[0], { transactionId, subject, content, payload });
}

async function emit(row, message) {
  const room = `s:${row.subscriber_id}`;
  if (!io.sockets.adapter.rooms.has(room)) return;
  const unread = await pool.query({
    name: 'unread',
    text: 'SELECT count(*)::int AS n FROM (SELECT 1 FROM messages WHERE subscriber_id = $1 AND NOT read LIMIT 100) AS t',
    values: [row.subscriber_id],
  });
  io.to(room).emit('notification_received', {
    message: { _id: row.id, _notificationId: row.notification_id, createdAt: row.created_at, channel: 'in_app',
      seen: false, read: false, ...message },
  });
  io.to(room).emit('unread_count_changed', { unreadCount: unread.rows[0].n });
}

const server = createServer((request, response) => {
  if (request.url !== '/metrics') return void response.writeHead(404).end();
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.end(`peer_messages_created_total{channel="in_app"} ${messagesCreated}\n`);
});

const io = new Server(server, { serveClient: false });
io.use((socket, next) => {
  const claims = tokenVerify(socket.handshake.query.token);
  if (!claims) return next(new Error('unauthorized'));
  socket.join(`s:${claims._id}`);
  next();
});

const worker = new Worker(QUEUE, jobRun, { connection: redisConnect(), concurrency: settings.concurrency });
worker.on('failed', (job, err) => console.error('job failed', job?.id, err.message));
worker.on('error', (err) => console.error('worker', err.message));
server.listen(settings.workerPort, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
