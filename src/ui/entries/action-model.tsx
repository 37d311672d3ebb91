import { type FlowEngine, type ModelClass, observable } from '@nocobase/flow-engine';
import { PLUGIN } from '../../shared/names';
import type { AppEntry } from '../../shared/types';
import { AppAvatar } from '../common/AppAvatar';
import { entryHref } from '../common/entryHref';
import { key } from '../common/text';
import { type Entries, type RegisterIcon, SAVED } from './entries';

const APP = key('App');
const UNAVAILABLE = key('This app does not exist, or you may not see it.');

const inNamespace = { ns: [PLUGIN, 'client'] };

/**
 * The model of an action that opens an app. It is created from the host's own when a page first needs it, so that a client's
 * start does not fail if that is missing.
 */
export async function createActionModel(
  engine: FlowEngine,
  entries: Entries,
  registerIcon: RegisterIcon,
): Promise<ModelClass> {
  const Base = await engine.getModelClassAsync('ActionModel');
  if (!Base) throw new Error('This NocoBase has no ActionModel.');
  // Panels draw themselves again when it changes.
  const live = observable({ list: entries.known() });
  entries.onChange(() => {
    live.list = entries.known();
  });
  const entryOf = (app: string): AppEntry | undefined => live.list?.find(({ name }) => name === app);
  const titleOf = (app: string): string => {
    const entry = entryOf(app);
    return entry ? entries.titleOf(entry) : app;
  };
  const iconOf = iconsOf((app) => ({ name: app, title: titleOf(app), icon: entryOf(app)?.icon ?? null }), registerIcon);

  class AppEntryActionModel extends Base {
    private unfollow?: () => void;

    onInit(options: unknown): void {
      super.onInit(options);
      this.refresh();
      void entries.load().then((list) => {
        live.list = list;
        this.refresh();
      });
    }

    onMount(): void {
      super.onMount?.();
      this.unfollow = entries.onChange(() => this.refresh());
    }

    onUnmount(): void {
      super.onUnmount?.();
      this.unfollow?.();
    }

    isEntryActionAvailable(): boolean {
      return entryOf(this.app) !== undefined;
    }

    getEntryActionUnavailableMessage(): string {
      return engine.context.t(UNAVAILABLE, inNamespace);
    }

    open(): void {
      const entry = entryOf(this.app);
      if (entry) window.open(entryHref(entry.url), entry.target, entry.target === '_blank' ? 'noopener' : undefined);
    }

    private get app(): string {
      return String(this.getStepParams(SAVED.flow, SAVED.step)?.name ?? '');
    }

    /** What the page's designer chose goes before what the app has. */
    private refresh(): void {
      this.defaultProps = { title: titleOf(this.app), icon: iconOf(this.app) };
      this.setProps({ ...this.defaultProps, ...this.getStepParams('buttonSettings', 'general') });
    }
  }
  AppEntryActionModel.define({ label: `{{t(${JSON.stringify(APP)}, ${JSON.stringify(inNamespace)})}}`, hide: true });
  AppEntryActionModel.registerFlow({
    key: 'openApp',
    on: 'click',
    steps: { open: { handler: ({ model }) => (model as AppEntryActionModel).open() } },
  });
  return AppEntryActionModel;
}

/** Panels draw icons by their names: each app has one of its own. */
function iconsOf(pictureOf: (app: string) => Pick<AppEntry, 'name' | 'title' | 'icon'>, register: RegisterIcon) {
  const registered = new Set<string>();
  return (app: string): string => {
    const type = `${PLUGIN}:${app}`;
    if (!registered.has(type)) register(type, () => <AppAvatar app={pictureOf(app)} />);
    registered.add(type);
    return type;
  };
}
