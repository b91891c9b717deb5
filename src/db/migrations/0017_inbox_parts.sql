-- Pages of a few among many of one person's messages (model/inbox_parts.c), each from an index that holds just those and
-- is in the order of time within its leading columns. The unread ones keep their counts; the rest costs an ordinary
-- message nothing: it is neither archived nor severe, and has tags only if its workflow has.
DROP INDEX messages_unread;
CREATE INDEX messages_unread ON messages (subscriber_id, context, severity, seen, created_at, id)
  WHERE channel < 1 AND read = 0 AND archived = 0 AND snoozed_until IS NULL;
CREATE INDEX messages_archived ON messages (subscriber_id, context, created_at, id) WHERE channel = 0 AND archived = 1;
CREATE INDEX messages_severe ON messages (subscriber_id, context, severity, created_at, id)
  WHERE channel < 1 AND severity <> 0;

-- The document's list of tags as JSON; NULL: none. '?': only the document tells, as of messages from before this column.
ALTER TABLE messages ADD COLUMN tags TEXT DEFAULT '?';
CREATE INDEX messages_tagged ON messages (subscriber_id, context, tags, archived, read, created_at, id)
  WHERE channel < 1 AND tags IS NOT NULL;
