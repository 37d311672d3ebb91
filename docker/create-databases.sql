-- One main database for each NocoBase of docker-compose.yml; PostgreSQL runs this when its volume is new.
-- Databases of apps are made by the worker that hosts the app.
CREATE DATABASE nocobase_supervisor;
CREATE DATABASE nocobase_worker_a;
CREATE DATABASE nocobase_worker_b;
