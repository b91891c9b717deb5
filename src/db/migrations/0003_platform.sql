-- The request log (rest-api.md §8): requests under a secret key that may have changed data, without accepted triggers,
-- whose events say the same.
CREATE TABLE request_log (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  user_id BLOB NOT NULL,
  operation TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  status INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX request_log_by_age ON request_log (created_at);
