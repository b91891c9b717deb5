-- Where chat reaches a person: connections (a workspace with its token) and endpoints (a channel, a user, a webhook).
-- subscriber_id: the external id, "" for none; channel and provider are those of the integration. auth and endpoint are
-- sealed: they hold tokens and secret URLs.

CREATE TABLE channel_connections (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  identifier TEXT NOT NULL,
  integration_identifier TEXT NOT NULL,
  provider_id TEXT NOT NULL,
  channel INTEGER NOT NULL,
  subscriber_id TEXT NOT NULL,
  context TEXT NOT NULL,
  workspace TEXT NOT NULL,
  auth TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, identifier),
  UNIQUE (environment_id, integration_identifier, subscriber_id, context)
);
CREATE INDEX channel_connections_by_subscriber ON channel_connections (environment_id, subscriber_id, id);
CREATE INDEX channel_connections_by_change ON channel_connections (environment_id, updated_at, id);

CREATE TABLE channel_endpoints (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  identifier TEXT NOT NULL,
  integration_identifier TEXT NOT NULL,
  connection_identifier TEXT,
  provider_id TEXT NOT NULL,
  channel INTEGER NOT NULL,
  subscriber_id TEXT NOT NULL,
  context TEXT NOT NULL,
  type TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, identifier)
);
CREATE INDEX channel_endpoints_by_subscriber ON channel_endpoints (environment_id, subscriber_id, id);
CREATE INDEX channel_endpoints_by_change ON channel_endpoints (environment_id, updated_at, id);
