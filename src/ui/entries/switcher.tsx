import { type HostApp, type ModelClass, observable } from '@nocobase/flow-engine';
import { lazy, type ReactNode, Suspense } from 'react';
import type { AppEntry } from '../../shared/types';
import { ErrorBoundary } from '../common/ErrorBoundary';
import { followEntries, unlessRefused } from './entries';

const EntryLinks = lazy(async () => ({ default: (await import('./EntryLinks')).EntryLinks }));

/** The modern client's own panel in the upper left, with the pinned apps above the configured entries. */
export function withPinnedApps(Panel: ModelClass, app: HostApp): ModelClass {
  const pinned = observable({ list: [] as AppEntry[] });
  const ask = followEntries(app, { client: 'modern', place: 'switcher' }, (entries) => {
    pinned.list = entries;
  });
  return class extends Panel {
    onInit(options: unknown): void {
      super.onInit(options);
      void ask();
    }

    /**
     * The client makes the panel when it first needs it, and saves it. Who may not change pages is refused, and would see no switcher
     * at all where no administrator has been before.
     */
    async save(): Promise<unknown> {
      return unlessRefused(super.save());
    }

    hasActions(): boolean {
      return pinned.list.length > 0 || super.hasActions();
    }

    renderContent(): ReactNode {
      const isConfigured = super.hasActions() || Boolean(this.context.flowSettingsEnabled);
      return (
        <>
          {pinned.list.length > 0 && (
            <ErrorBoundary fallback={() => null}>
              <Suspense fallback={null}>
                <div data-testid="app-switcher" style={{ width: 520, maxWidth: 'calc(100vw - 48px)', padding: 8 }}>
                  <EntryLinks entries={pinned.list} />
                </div>
              </Suspense>
            </ErrorBoundary>
          )}
          {isConfigured && super.renderContent()}
        </>
      );
    }
  };
}
