-- Run by database-roles.sh, as the superuser.
SELECT format('CREATE ROLE %I LOGIN', name) FROM (VALUES ('nocobase_supervisor'), ('nocobase_worker')) AS v (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE nocobase_supervisor PASSWORD :'supervisor';
ALTER ROLE nocobase_worker CREATEDB CREATEROLE PASSWORD :'worker';

-- Nobody enters a new one before it is closed to the roles of apps.
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ALLOW_CONNECTIONS false', name, owner) FROM (VALUES
  ('nocobase_supervisor', 'nocobase_supervisor'),
  ('nocobase_worker_a', 'nocobase_worker'),
  ('nocobase_worker_b', 'nocobase_worker')) AS v (name, owner)
WHERE NOT EXISTS (SELECT 1 FROM pg_database WHERE datname = name) \gexec

-- The roles of apps connect to their own databases only.
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO nocobase_worker;
SELECT format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', datname) FROM pg_database
WHERE datname NOT IN ('postgres', 'template0', 'template1') \gexec
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', datname) FROM pg_database
WHERE NOT datallowconn AND datname IN ('nocobase_supervisor', 'nocobase_worker_a', 'nocobase_worker_b') \gexec
