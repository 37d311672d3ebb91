// Listed for the classic client, which loads all plugins or none.
define('@nocobase/plugin-task-probe', ['@nocobase/client'], (client) => ({ default: class extends client.Plugin {} }));
