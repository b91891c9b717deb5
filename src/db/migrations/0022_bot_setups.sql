-- A link by which somebody else, on a phone, enters a chat bot's token (rest-api.md §6.14). hash: of the link's token. used: the
-- row stays until it expires, so that a second visit learns what became of it.
CREATE TABLE bot_setups (
  hash TEXT NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  integration_id BLOB NOT NULL,
  subscriber_id TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used INTEGER NOT NULL
);
CREATE INDEX bot_setups_expiry ON bot_setups (expires_at);
CREATE INDEX bot_setups_of ON bot_setups (environment_id);
