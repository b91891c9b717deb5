-- Fan-out beyond the accepting commit, what happened to a request, and attachments.

-- What is worth telling about an accepted trigger beyond its course; NULL mostly (src/model/trace.h).
ALTER TABLE events ADD COLUMN trace TEXT;

-- A trigger that goes to more people than its first commit holds: topics, everybody, or more than 100 recipients.
-- part and chunk, reached are the cursor; total NULL until it is known. One row an event, kept as long as the event.
CREATE TABLE fanouts (
  event_id BLOB NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  state INTEGER NOT NULL,
  part INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  reached BLOB NOT NULL,
  singles INTEGER NOT NULL,
  total INTEGER,
  expanded INTEGER NOT NULL,
  runs INTEGER NOT NULL,
  filtered INTEGER NOT NULL,
  subscriptions_evaluated INTEGER NOT NULL,
  subscriptions_filtered INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

-- The recipients behind the first 100 of a long `to`, 100 a row, so that no chunk reads the others.
CREATE TABLE fanout_chunks (
  event_id BLOB NOT NULL,
  chunk INTEGER NOT NULL,
  recipients TEXT NOT NULL,
  PRIMARY KEY (event_id, chunk)
);

-- Who got no run because all of their topic subscriptions said no (engine.md §6.6). evaluations: as in a run's topics.
CREATE TABLE fanout_refusals (
  event_id BLOB NOT NULL,
  subscriber_id BLOB NOT NULL,
  evaluations TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (event_id, subscriber_id)
);
CREATE INDEX fanout_refusals_by_subscriber ON fanout_refusals (subscriber_id, created_at);

-- Contents of payload.attachments, by their sha256 (32 bytes); of which event, until its last run has ended. With SQLite
-- the bytes are files below the data directory, with PostgreSQL rows of at most 1 MiB here (src/model/attachment.h).
CREATE TABLE attachments (
  hash BLOB NOT NULL PRIMARY KEY,
  size INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE attachment_chunks (
  hash BLOB NOT NULL,
  n INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (hash, n)
);
CREATE TABLE attachment_refs (
  event_id BLOB NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (event_id, hash)
);
CREATE INDEX attachment_refs_by_hash ON attachment_refs (hash);
