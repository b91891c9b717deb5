-- Messages of one channel, newest first: without this a list of the few e-mails among millions of in-app messages walks all
-- of them. In-app messages themselves are not in it.
CREATE INDEX messages_by_channel ON messages (environment_id, channel, id) WHERE channel <> 0;
