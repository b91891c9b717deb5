-- Digests and throttles: what several runs decide about together. key is the hash of what makes a group (subscriber,
-- workflow, step and the value of the step's key); it is in the primary key, so that two triggers at once can never both
-- become the first.

-- run_id and job: the digest that collects until due_at; NULL: none does. revision rises with every change, so that who
-- decided on an older state decides again. event_at: the group's latest event, for look-back; a group without a digest
-- is forgotten after expires_at.
CREATE TABLE digest_groups (
  key TEXT NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  subscriber_id BLOB NOT NULL,
  run_id BLOB,
  job INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  event_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revision INTEGER NOT NULL
);
CREATE INDEX digest_groups_by_subscriber ON digest_groups (subscriber_id);
CREATE INDEX digest_groups_over ON digest_groups (expires_at) WHERE run_id IS NULL;

-- Events that wait in the digest of (run_id, job), by time; a row goes when that digest fires. Their payloads stay in
-- events, which therefore must not be purged while they are named here.
CREATE TABLE digest_events (
  run_id BLOB NOT NULL,
  job INTEGER NOT NULL,
  member_at INTEGER NOT NULL,
  member_run_id BLOB NOT NULL,
  member_job INTEGER NOT NULL,
  environment_id BLOB NOT NULL,
  event_id BLOB NOT NULL,
  PRIMARY KEY (run_id, job, member_at, member_run_id)
);
CREATE INDEX digest_events_by_event ON digest_events (event_id);

CREATE TABLE throttle_windows (
  key TEXT NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  subscriber_id BLOB NOT NULL,
  started_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  granted INTEGER NOT NULL
);
CREATE INDEX throttle_windows_by_subscriber ON throttle_windows (subscriber_id);
CREATE INDEX throttle_windows_over ON throttle_windows (ends_at);

-- To cancel what an event started its runs are walked in order, however many they are.
DROP INDEX runs_by_event;
CREATE INDEX runs_by_event ON runs (event_id, id);
