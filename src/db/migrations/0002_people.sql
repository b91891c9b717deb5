-- Topics and who is subscribed to them, what people want to receive, and the contexts and tenants they act in.
-- A context column holds sorted context keys ("type:id") joined by ",", "" for none.

CREATE TABLE topics (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  key TEXT NOT NULL,
  name TEXT NOT NULL,
  data TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, key)
);

CREATE TABLE topic_subscriptions (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  topic_id BLOB NOT NULL,
  subscriber_id BLOB NOT NULL,
  identifier TEXT NOT NULL,
  name TEXT,
  context TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (topic_id, id),
  UNIQUE (topic_id, identifier)
);
-- The fan-out walks a topic by subscriber; a subscriber's own list goes by id.
CREATE INDEX topic_subscriptions_by_topic ON topic_subscriptions (topic_id, context, subscriber_id, id);
CREATE INDEX topic_subscriptions_by_subscriber ON topic_subscriptions (subscriber_id, id);

-- What one subscriber chose: globally (workflow_id and subscription_id zero), for a workflow (subscription_id zero), or
-- for a workflow through one topic subscription. Zero is 12 bytes of zero. doc: {all:{enabled,condition},
-- channels:{email:true,…}, schedule}: only what was set.
CREATE TABLE preferences (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  subscriber_id BLOB NOT NULL,
  workflow_id BLOB NOT NULL,
  subscription_id BLOB NOT NULL,
  context TEXT NOT NULL,
  doc TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (subscriber_id, workflow_id, subscription_id, context)
);
CREATE INDEX preferences_by_subscription ON preferences (subscription_id, id);
CREATE INDEX preferences_by_workflow ON preferences (workflow_id);

CREATE TABLE contexts (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  type TEXT NOT NULL,
  identifier TEXT NOT NULL,
  data TEXT NOT NULL,
  bridge_url TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, type, identifier)
);
CREATE UNIQUE INDEX contexts_by_id ON contexts (environment_id, id);
CREATE INDEX contexts_by_age ON contexts (environment_id, created_at, id);
CREATE INDEX contexts_by_change ON contexts (environment_id, updated_at, id);

-- Tombstones: what was deleted, and what hung on it is still being removed, a chunk a commit. external_id: of a person to
-- be erased, the id that events name.
CREATE TABLE removals (
  ref BLOB NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  external_id TEXT,
  created_at INTEGER NOT NULL
);

-- That a person was erased, by whom and when, without anything about the person (decisions.md 20). subject: their
-- internal id, which stands nowhere else any more.
CREATE TABLE erasures (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  user_id BLOB NOT NULL,
  subject BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);

-- Lists of subscribers and topics by their last change.
CREATE INDEX subscribers_by_change ON subscribers (environment_id, updated_at, id);
CREATE INDEX topics_by_change ON topics (environment_id, updated_at, id);

-- Legacy tenants and what a workflow does differently for one (rest-api.md §7).
CREATE TABLE tenants (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  identifier TEXT NOT NULL,
  name TEXT,
  data TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, identifier)
);

CREATE TABLE workflow_overrides (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  workflow_id BLOB NOT NULL,
  tenant_id BLOB NOT NULL,
  active INTEGER NOT NULL,
  preferences TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (workflow_id, tenant_id)
);
