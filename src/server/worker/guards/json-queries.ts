import type { Clock } from '../../clock';
import type { HostConfig } from '../../config/core-settings';
import type { GuardConfig } from '../../config/guards';
import { libraryOfPlugin } from '../../nocobase/plugin-classes';
import { type Guard, guardPlugin } from './guard';
import { QueryThread } from './query-thread';

const PLUGIN = 'workflow-json-query';
const FILE = 'JSONQueryInstruction';

interface Engines {
  get(name: string): unknown;
}

/**
 * The node "JSON calculation" of apps evaluates in a thread that can be ended: each of its three languages can go on for
 * ever, by recursion or by a regular expression.
 */
export function jsonQueries(host: HostConfig, { formulaTimeout }: GuardConfig, clock: Clock): Guard {
  const threads = new Map<string, QueryThread>();
  const library = (name: string) => libraryOfPlugin(host.nodeModulesPath, PLUGIN, FILE, name);

  return {
    afterLoad: (app) => {
      if (!app.pm.get(PLUGIN)) return;
      const libraries = {
        jmespath: library('jmespath'),
        jsonpathplus: library('jsonpath-plus'),
        jsonata: library('jsonata'),
      };
      const threadOf = (name: string): QueryThread => {
        const thread = threads.get(name) ?? new QueryThread(libraries, formulaTimeout, clock);
        threads.set(name, thread);
        return thread;
      };
      guardPlugin(app, host, [PLUGIN, FILE, 'default'], ['execute'], (_, args, { name }, self, execute) => {
        const { engines } = self as { engines: Engines };
        const get = (engine: string) =>
          Object.hasOwn(libraries, engine)
            ? (expression: unknown, data: unknown) =>
                threadOf(name).run({ engine, expression, data: JSON.stringify(data) })
            : engines.get(engine);
        return execute.call(Object.create(self, { engines: { value: { get } } }), ...args);
      });
    },
  };
}
