-- E-mail layouts, and what templates say in other languages.

-- doc: {isTranslationEnabled, controlValues, origin, …}.
CREATE TABLE layouts (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  identifier TEXT NOT NULL,
  name TEXT NOT NULL,
  is_default INTEGER NOT NULL,
  doc TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, identifier)
);

-- resource_type: 1 workflow, 2 layout; resource_id: its identifier. content: nested JSON object of texts.
CREATE TABLE translations (
  environment_id BLOB NOT NULL,
  resource_type INTEGER NOT NULL,
  resource_id TEXT NOT NULL,
  locale TEXT NOT NULL,
  content TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, resource_type, resource_id, locale)
);
