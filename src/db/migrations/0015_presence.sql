-- Who has a live socket at which process (nodes): somebody is online as long as one row of theirs is left. Rows of a process
-- whose lease is over mean nothing, and are removed by another one.
CREATE TABLE presence (
  node_id BLOB NOT NULL,
  subscriber_id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  PRIMARY KEY (node_id, subscriber_id)
);
CREATE INDEX presence_by_subscriber ON presence (subscriber_id);
