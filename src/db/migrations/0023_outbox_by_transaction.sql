-- Whoever waits for what a trigger sent asks the outbox by its transaction: without this it walks all of the environment's.
CREATE INDEX outbox_by_transaction ON outbox (environment_id, transaction_id, id);
