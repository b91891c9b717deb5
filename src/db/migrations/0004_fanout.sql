-- fanout: its tables come here.
UPDATE schema_migrations SET version = version;
