-- Decisions about a person that no run tells (src/model/decision.h).

-- Which version of the workflow it was that a topic subscription kept from somebody; 0: refused before this was kept.
ALTER TABLE fanout_refusals ADD COLUMN workflow_version INTEGER NOT NULL DEFAULT 0;

-- Triggers that used the transactionId of an earlier event again, by person whom they addressed. One row, however often;
-- id and updated_at are those of the last time.
CREATE TABLE duplicate_triggers (
  subscriber_id BLOB NOT NULL,
  event_id BLOB NOT NULL,
  id BLOB NOT NULL,
  workflow_id BLOB NOT NULL,
  workflow_version INTEGER NOT NULL,
  times INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (subscriber_id, event_id)
);
CREATE INDEX duplicate_triggers_by_event ON duplicate_triggers (event_id);
