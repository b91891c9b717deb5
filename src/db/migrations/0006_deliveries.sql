-- Deliveries under way or given up (beyond.md §1): a row from the first attempt until the provider took the message; one
-- that nobody took stays, as a dead letter, until it is driven again or its run goes.
-- state: 0 open, 1 dead, 2 to be opened again. attempt: the one that is due, or under way since started_at, in the
-- process `owner`. slot: the process that has reserved the sending rate for due_at.
CREATE TABLE deliveries (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  run_id BLOB NOT NULL,
  job INTEGER NOT NULL,
  target INTEGER NOT NULL,
  message_id BLOB NOT NULL,
  channel INTEGER NOT NULL,
  integration_id BLOB NOT NULL,
  provider_id TEXT NOT NULL,
  state INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  started_at INTEGER,
  owner BLOB,
  slot BLOB,
  address TEXT,
  error TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX deliveries_due ON deliveries (due_at, id) WHERE started_at IS NULL AND state <> 1;
CREATE INDEX deliveries_started ON deliveries (owner) WHERE started_at IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (environment_id, updated_at, id) WHERE state = 1;

-- The processes that share this store. What a process owns is void once its lease is over.
CREATE TABLE nodes (
  id BLOB NOT NULL PRIMARY KEY,
  lease_until INTEGER NOT NULL
);
