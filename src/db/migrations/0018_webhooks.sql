-- Webhooks to the customer (bridge-cli.md §8): where they go, what happened, and which of it has still to go where.

-- events: bits 1 << type of what it wants, 0: all. disabled: 0 no, 1 by hand, 2 since nothing arrived for days.
-- headers, secret and old_secret are sealed; the old one signs too until then. failing_since: no attempt succeeded since.
CREATE TABLE webhook_endpoints (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  url TEXT NOT NULL,
  description TEXT NOT NULL,
  events INTEGER NOT NULL,
  disabled INTEGER NOT NULL,
  headers TEXT,
  rate_limit INTEGER NOT NULL,
  secret TEXT NOT NULL,
  old_secret TEXT,
  old_secret_until INTEGER,
  failing_since INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);

-- What happened, as it is sent. Kept while the environment has an endpoint, also if none of them wants it: it can be
-- replayed, unless it is a test. subscriber_id: whom it is about, NULL for nobody.
CREATE TABLE webhook_messages (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  subscriber_id BLOB,
  type INTEGER NOT NULL,
  test INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX webhook_messages_of ON webhook_messages (subscriber_id) WHERE subscriber_id IS NOT NULL;

-- A message on its way to an endpoint. state: 0 attempt number `attempt` is due at due_at, or under way in the process
-- `owner`; 1 delivered, 2 given up.
CREATE TABLE webhook_deliveries (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  endpoint_id BLOB NOT NULL,
  message_id BLOB NOT NULL,
  state INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  owner BLOB,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (endpoint_id, message_id);
CREATE INDEX webhook_deliveries_message ON webhook_deliveries (message_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at, id) WHERE state = 0;
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (endpoint_id, due_at, id) WHERE state = 0;

-- What an endpoint answered. status 0: nothing.
CREATE TABLE webhook_attempts (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  endpoint_id BLOB NOT NULL,
  message_id BLOB NOT NULL,
  attempt INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  status INTEGER NOT NULL,
  answer TEXT NOT NULL,
  error TEXT NOT NULL,
  took_ms INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX webhook_attempts_of ON webhook_attempts (endpoint_id, id);
CREATE INDEX webhook_attempts_message ON webhook_attempts (message_id);
