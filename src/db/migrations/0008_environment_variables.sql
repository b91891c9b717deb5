-- Variables that templates read as {{env.KEY}}: one record for the organisation, a sealed value for each environment.
CREATE TABLE environment_variables (
  id BLOB NOT NULL UNIQUE,
  organization_id BLOB NOT NULL,
  key TEXT NOT NULL,
  is_secret INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, key)
);

CREATE TABLE environment_variable_values (
  environment_id BLOB NOT NULL,
  variable_id BLOB NOT NULL,
  sealed TEXT NOT NULL,
  PRIMARY KEY (environment_id, variable_id)
);
CREATE INDEX environment_variable_values_by_variable ON environment_variable_values (variable_id);
