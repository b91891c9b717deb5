-- Domains that mail may one day come in by, and where it goes by address. A name belongs to one environment of the server.
CREATE TABLE domains (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  name TEXT NOT NULL UNIQUE,
  data TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX domains_by_age ON domains (environment_id, created_at, id);
CREATE INDEX domains_by_change ON domains (environment_id, updated_at, id);

-- agent: the identifier of an agent of the environment, NULL for a webhook.
CREATE TABLE domain_routes (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  domain_id BLOB NOT NULL,
  address TEXT NOT NULL,
  agent TEXT,
  data TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (domain_id, address)
);
CREATE INDEX domain_routes_by_age ON domain_routes (domain_id, created_at, id);
CREATE INDEX domain_routes_by_change ON domain_routes (domain_id, updated_at, id);
CREATE INDEX domain_routes_by_environment ON domain_routes (environment_id, agent);

-- Agents as their owner describes them; nothing runs them here. behavior is a JSON object.
CREATE TABLE agents (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  identifier TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  behavior TEXT NOT NULL,
  active INTEGER NOT NULL,
  bridge_url TEXT,
  dev_bridge_url TEXT,
  dev_bridge_active INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, identifier)
);
CREATE INDEX agents_by_age ON agents (environment_id, created_at, id);
CREATE INDEX agents_by_change ON agents (environment_id, updated_at, id);

-- An integration serves one agent.
CREATE TABLE agent_integrations (
  id BLOB NOT NULL,
  environment_id BLOB NOT NULL,
  agent_id BLOB NOT NULL,
  integration_id BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, id),
  UNIQUE (environment_id, integration_id)
);
CREATE INDEX agent_integrations_by_age ON agent_integrations (agent_id, created_at, id);
CREATE INDEX agent_integrations_by_change ON agent_integrations (agent_id, updated_at, id);

-- An integration of kind "agent" serves agents: no step is delivered through it.
ALTER TABLE integrations ADD COLUMN for_agents INTEGER NOT NULL DEFAULT 0;
