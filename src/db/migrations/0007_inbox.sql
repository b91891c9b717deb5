-- What people did with the messages of a run, in order, as text that is only appended to (model/run.h, run_mark): apart
-- from `state`, so that an engine that has read the run meanwhile need not read it again.
ALTER TABLE runs ADD COLUMN marks TEXT NOT NULL DEFAULT '';
