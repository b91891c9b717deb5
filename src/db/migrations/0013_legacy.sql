-- What older clients sort workflows and messages by: notification groups (kind 0) and feeds (kind 1). Nothing hangs on them.
CREATE TABLE legacy_groups (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, kind, name)
);
