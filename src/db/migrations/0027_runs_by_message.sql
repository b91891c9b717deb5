-- A run's first in-app message may have the run's id: it is found by that, and is in the index of messages by run no more. Where
-- both are written at once, a person's runs are found through their messages too, which have an index by person already (listed
-- = 0; model/run_private.h): a trigger changes one page of such an index, not two.
ALTER TABLE runs ADD COLUMN listed INTEGER NOT NULL DEFAULT 1;
DROP INDEX runs_by_subscriber;
CREATE INDEX runs_by_subscriber ON runs (subscriber_id, created_at, id) WHERE listed = 1;
DROP INDEX messages_by_run;
CREATE INDEX messages_by_run ON messages (run_id) WHERE run_id <> id;
