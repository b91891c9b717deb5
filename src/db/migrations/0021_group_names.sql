-- Notification groups may share a name, as upstream has it (feeds may not): each environment has its "General", and older
-- clients make another of that name.
CREATE TABLE legacy_groups_now (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
INSERT INTO legacy_groups_now (id, environment_id, kind, name, created_at, updated_at)
  SELECT id, environment_id, kind, name, created_at, updated_at FROM legacy_groups;
DROP TABLE legacy_groups;
ALTER TABLE legacy_groups_now RENAME TO legacy_groups;
CREATE UNIQUE INDEX feeds_by_name ON legacy_groups (environment_id, name) WHERE kind = 1;
