// Creates the peer's tables, one environment and the workflow of the bench (argv: identifier, subject, body).
import { readFileSync } from 'node:fs';
import { keyHash, postgresConnect, settings } from './common.js';

const [identifier, subject, body] = process.argv.slice(2);
const pool = postgresConnect(1);
await pool.query(readFileSync(new URL('./schema.sql', import.meta.url), 'utf8'));
const env = await pool.query('INSERT INTO environments (name, api_key_hash) VALUES ($1, $2) RETURNING id',
  ['Development', keyHash(settings.secretKey)]);
await pool.query('INSERT INTO workflows (environment_id, identifier, name, steps) VALUES ($1, $2, $2, $3)',
  [env.rows[0].id, identifier, JSON.stringify([{ name: 'inbox', type: 'in_app', subject, body }])]);
await pool.end();
