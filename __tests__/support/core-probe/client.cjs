// Listed for the classic client, which loads all plugins or none.
define('@nocobase/plugin-core-probe', ['@nocobase/client'], (client) => ({ default: class extends client.Plugin {} }));
