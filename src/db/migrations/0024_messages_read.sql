-- Pages of read messages among very many unread ones. An unread message, as each begins, is not in it: sending costs nothing.
CREATE INDEX messages_read ON messages (subscriber_id, context, archived, created_at, id) WHERE channel = 0 AND read = 1;
