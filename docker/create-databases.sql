-- Creates the main database of each NocoBase instance in docker-compose.yml. PostgreSQL runs this file when its volume
-- is new. The Worker that hosts an app creates the app's database.
CREATE DATABASE nocobase_supervisor;
CREATE DATABASE nocobase_worker_a;
CREATE DATABASE nocobase_worker_b;
