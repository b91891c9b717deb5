-- The activity's link of a trigger names its request.
CREATE INDEX events_by_request ON events (environment_id, request_id);
-- The request has an entry of its own in the request log: it made more than this event, or is another route than the usual.
ALTER TABLE events ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;
