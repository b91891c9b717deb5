-- What a provider called a message when it took it: its reports about the message name it by that.
ALTER TABLE messages ADD COLUMN provider_message_id TEXT;
CREATE INDEX messages_by_provider_id ON messages (environment_id, provider_message_id) WHERE provider_message_id IS NOT NULL;
