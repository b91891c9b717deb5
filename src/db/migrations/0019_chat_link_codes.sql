-- A person who is to be linked with a chat by a bot, until the bot is told the code (rest-api.md §6.15). hash: of the code.
CREATE TABLE chat_link_codes (
  hash TEXT NOT NULL PRIMARY KEY,
  environment_id BLOB NOT NULL,
  integration_id BLOB NOT NULL,
  subscriber_id TEXT NOT NULL,
  context TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX chat_link_codes_expiry ON chat_link_codes (expires_at);
CREATE INDEX chat_link_codes_of ON chat_link_codes (environment_id);
