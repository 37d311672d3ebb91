import type { EntryActionItem, HostApp } from '@nocobase/flow-engine';
import { PLUGIN } from '../../shared/names';
import type { AppEntry } from '../../shared/types';
import { key } from '../common/text';
import { type ClientName, type Entries, followEntries, type RegisterIcon, SAVED } from './entries';

/**
 * Apps as actions, which whoever designs the pages puts into the app switcher and into action panels. What is saved is the
 * app's name alone: title, icon and address are those of now.
 */

const MODEL = 'AppEntryActionModel';
const SCOPES = ['app-switcher', 'action-panel'];
const TEXTS = { apps: key('Apps'), main: key('Main app') };

/** Offers the apps where such actions are chosen, and lets pages show those that were chosen. */
export function registerEntryActions(app: HostApp, client: ClientName, registerIcon: RegisterIcon): void {
  const { flowEngine } = app;
  const t = (text: string) => flowEngine.context.t(text, { ns: [PLUGIN, 'client'] });
  const entries = entriesOf(app, client, (entry) => (entry.name === 'main' ? t(TEXTS.main) : entry.title));
  flowEngine.registerModelLoaders({
    [MODEL]: {
      extends: 'ActionModel',
      loader: async () => (await import('./action-model')).createActionModel(flowEngine, entries, registerIcon),
    },
  });
  const children = async () => (await entries.load()).map((entry) => itemOf(entry.name, entries.titleOf(entry)));
  for (const scope of SCOPES) {
    app.entryActionManager?.register(`${PLUGIN}:${scope}`, {
      scope,
      provider: () => [{ key: PLUGIN, label: t(TEXTS.apps), children }],
    });
  }
}

/** What choosing an app adds to a panel. */
const itemOf = (name: string, label: string): EntryActionItem => ({
  key: `${PLUGIN}:${name}`,
  label,
  createModelOptions: { use: MODEL, stepParams: { [SAVED.flow]: { [SAVED.step]: { name } } } },
});

function entriesOf(app: HostApp, client: ClientName, titleOf: (entry: AppEntry) => string): Entries {
  let list: AppEntry[] | null = null;
  const listeners = new Set<() => void>();
  const ask = followEntries(app, { client, place: 'action' }, (entries) => {
    list = entries;
    for (const listener of listeners) listener();
  });
  return {
    titleOf,
    known: () => list,
    load: async () => {
      list = await ask();
      return list;
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
