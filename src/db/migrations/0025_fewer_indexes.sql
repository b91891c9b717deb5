-- What a trigger for one person writes: its event has the request's id, and its run has the event's, so that both are found
-- without an index of theirs. request_id is NULL then; '' means that no request asked for it.
UPDATE events SET request_id = '' WHERE request_id IS NULL;
DROP INDEX events_by_request;
CREATE INDEX events_by_request ON events (environment_id, request_id) WHERE request_id IS NOT NULL;
DROP INDEX runs_by_event;
CREATE INDEX runs_by_event ON runs (event_id, id) WHERE event_id <> id;

-- A fresh message is in the index of unread ones; the index of all begins with what is done with it (model/inbox_private.h).
DROP INDEX messages_inbox;
CREATE INDEX messages_inbox ON messages (subscriber_id, context, created_at, id)
  WHERE channel = 0 AND (severity <> 0 OR seen <> 0 OR read <> 0 OR archived <> 0 OR snoozed_until > 0);
