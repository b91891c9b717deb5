-- The peer's tables: the records that a notification leaves behind in Novu (notification, jobs, execution
-- details, message), each with the indexes that its reads need and no more.
CREATE TABLE environments (
  id           bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  name         text NOT NULL,
  api_key_hash bytea NOT NULL UNIQUE
);

CREATE TABLE workflows (
  id             bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  environment_id bigint NOT NULL REFERENCES environments,
  identifier     text NOT NULL,
  name           text NOT NULL,
  active         boolean NOT NULL DEFAULT true,
  steps          jsonb NOT NULL,
  UNIQUE (environment_id, identifier)
);

CREATE TABLE subscribers (
  id             bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  environment_id bigint NOT NULL,
  subscriber_id  text NOT NULL,
  first_name     text,
  last_name      text,
  email          text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  UNIQUE (environment_id, subscriber_id)
);

CREATE TABLE notifications (
  id             bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  environment_id bigint NOT NULL,
  workflow_id    bigint NOT NULL,
  subscriber_id  bigint NOT NULL,
  transaction_id text NOT NULL,
  payload        jsonb NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT now(),
  UNIQUE (environment_id, transaction_id, subscriber_id)
);

CREATE TABLE jobs (
  id              bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  notification_id bigint NOT NULL,
  step            text NOT NULL,
  type            text NOT NULL,
  status          text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON jobs (notification_id);

CREATE TABLE execution_details (
  id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  job_id     bigint NOT NULL,
  detail     text NOT NULL,
  status     text NOT NULL,
  source     text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON execution_details (job_id);

CREATE TABLE messages (
  id              bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  environment_id  bigint NOT NULL,
  subscriber_id   bigint NOT NULL,
  notification_id bigint NOT NULL,
  job_id          bigint NOT NULL,
  transaction_id  text NOT NULL,
  subject         text,
  content         text NOT NULL,
  payload         jsonb NOT NULL,
  seen            boolean NOT NULL DEFAULT false,
  read            boolean NOT NULL DEFAULT false,
  archived        boolean NOT NULL DEFAULT false,
  created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON messages (subscriber_id, created_at DESC);
CREATE INDEX ON messages (subscriber_id) WHERE NOT read;
