-- The first schema. Ids are 12 bytes, times milliseconds (UTC), documents JSON text.
-- Tables that grow with traffic (events, runs, messages, queue) carry only the indexes that a query below them
-- needs; (environment_id, id) serves both "this one" and "newest first in this environment".

CREATE TABLE organizations (
  id BLOB NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE users (
  id BLOB NOT NULL PRIMARY KEY,
  email TEXT UNIQUE,
  first_name TEXT,
  last_name TEXT,
  password_hash TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE members (
  organization_id BLOB NOT NULL,
  user_id BLOB NOT NULL,
  role TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, user_id)
);

-- outbox: 1 when channels without an integration deliver to the built-in outbox (decisions.md 5).
CREATE TABLE environments (
  id BLOB NOT NULL PRIMARY KEY,
  organization_id BLOB NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  application_identifier TEXT NOT NULL UNIQUE,
  outbox INTEGER NOT NULL,
  settings TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (organization_id, name)
);

-- hash: sha256 of the secret, 32 bytes; sealed: the secret encrypted at rest.
CREATE TABLE api_keys (
  hash BLOB NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  user_id BLOB NOT NULL,
  sealed TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX api_keys_by_environment ON api_keys (environment_id);

CREATE TABLE integrations (
  id BLOB NOT NULL PRIMARY KEY,
  organization_id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  provider_id TEXT NOT NULL,
  channel INTEGER NOT NULL,
  name TEXT NOT NULL,
  identifier TEXT NOT NULL,
  credentials TEXT,
  configurations TEXT,
  conditions TEXT,
  active INTEGER NOT NULL,
  is_primary INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (organization_id, identifier)
);
CREATE INDEX integrations_by_environment ON integrations (environment_id, channel);

CREATE TABLE subscribers (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  subscriber_id TEXT NOT NULL,
  first_name TEXT,
  last_name TEXT,
  email TEXT,
  phone TEXT,
  avatar TEXT,
  locale TEXT,
  timezone TEXT,
  data TEXT,
  channels TEXT,
  is_online INTEGER,
  last_online_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, subscriber_id)
);

-- Who is connected: few rows, asked for at every start.
CREATE INDEX subscribers_online ON subscribers (environment_id, id) WHERE is_online = 1;

-- doc: the whole definition (description, tags, steps with their control values, preferences, payloadSchema, …).
CREATE TABLE workflows (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  identifier TEXT NOT NULL,
  name TEXT NOT NULL,
  active INTEGER NOT NULL,
  version INTEGER NOT NULL,
  doc TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  last_triggered_at INTEGER,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, identifier)
);

-- Every version is immutable; runs name the one they were started with (decisions.md 16).
CREATE TABLE workflow_versions (
  workflow_id BLOB NOT NULL,
  number INTEGER NOT NULL,
  user_id BLOB,
  hash BLOB NOT NULL,
  name TEXT NOT NULL,
  doc TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (workflow_id, number)
);

-- An accepted trigger. transaction_id is unique while its runs are kept (decisions.md 11); the idempotency key's
-- hash and the body's hash live here so that a trigger costs no row of its own for them (decisions.md 10).
-- doc: {payload, overrides, to, actor, tenant, context, controls}.
CREATE TABLE events (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  transaction_id TEXT NOT NULL,
  workflow_id BLOB NOT NULL,
  request_id TEXT,
  idempotency_hash BLOB,
  body_hash BLOB,
  doc TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, transaction_id)
);
CREATE UNIQUE INDEX events_by_idempotency ON events (idempotency_hash) WHERE idempotency_hash IS NOT NULL;

-- One workflow for one subscriber (on the wire: a notification). state: jobs and the step log, compact;
-- executionDetails are views made from it (design.md, idea 3). revision guards concurrent advances.
CREATE TABLE runs (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  event_id BLOB NOT NULL,
  workflow_id BLOB NOT NULL,
  workflow_version INTEGER NOT NULL,
  subscriber_id BLOB NOT NULL,
  context TEXT NOT NULL,
  status INTEGER NOT NULL,
  delivery INTEGER NOT NULL,
  severity INTEGER NOT NULL,
  channels INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX runs_by_event ON runs (event_id);
CREATE INDEX runs_by_subscriber ON runs (subscriber_id, id);

-- context: sorted context keys joined by ",". doc: what only readers of one message need (content, cta, …).
CREATE TABLE messages (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  subscriber_id BLOB NOT NULL,
  run_id BLOB NOT NULL,
  job_id BLOB NOT NULL,
  workflow_id BLOB NOT NULL,
  channel INTEGER NOT NULL,
  context TEXT NOT NULL,
  severity INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  read INTEGER NOT NULL,
  archived INTEGER NOT NULL,
  snoozed_until INTEGER,
  status INTEGER NOT NULL,
  first_seen_at INTEGER,
  last_seen_at INTEGER,
  last_read_at INTEGER,
  archived_at INTEGER,
  doc TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX messages_by_run ON messages (run_id);
-- The Inbox's list (channel 0 is in_app), newest first.
CREATE INDEX messages_inbox ON messages (subscriber_id, context, created_at, id) WHERE channel = 0;
-- Its counts: a read, archived or snoozed message is seen too, so this holds the unseen ones as well.
CREATE INDEX messages_unread ON messages (subscriber_id, context, severity, seen)
  WHERE channel = 0 AND read = 0 AND archived = 0 AND snoozed_until IS NULL;

-- Sleeping messages: few, and every count of unread ones asks for them too.
CREATE INDEX messages_snoozed ON messages (subscriber_id, context, created_at, id)
  WHERE channel = 0 AND snoozed_until IS NOT NULL;

-- What is still to do: a row exists only while something is. due_at orders timers and work alike; owner is the
-- boot id of the process that is on it now (void after that process is gone).
CREATE TABLE queue (
  due_at INTEGER NOT NULL,
  id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  environment_id BLOB NOT NULL,
  ref BLOB NOT NULL,
  job INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  owner BLOB,
  PRIMARY KEY (due_at, id)
);
CREATE INDEX queue_by_ref ON queue (ref);

-- What the demo provider "sent" (beyond.md §4).
CREATE TABLE outbox (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  channel INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  message_id BLOB,
  doc TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX outbox_by_recipient ON outbox (environment_id, recipient, id);

-- Answers kept for Idempotency-Key of everything but triggers (rest-api.md §5). answer NULL: still in progress.
CREATE TABLE idempotency_keys (
  hash BLOB NOT NULL PRIMARY KEY,
  body_hash BLOB NOT NULL,
  status INTEGER,
  answer TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
