import { key } from './common/text';

/** The settings pages, as both clients register them. */
export const SETTINGS = {
  menu: {
    key: 'app-supervisor',
    title: key('App supervisor'),
    icon: 'AppstoreOutlined',
    aclSnippet: 'pm.app-supervisor',
  },
  tabs: [
    {
      key: 'apps',
      title: key('Apps'),
      sort: 1,
      aclSnippet: 'pm.app-supervisor.apps',
      componentLoader: () => import('./apps/AppsPage'),
    },
    {
      key: 'environments',
      title: key('Environments'),
      sort: 2,
      aclSnippet: 'pm.app-supervisor.environments',
      componentLoader: () => import('./environments/EnvironmentsPage'),
    },
  ],
};

/** Apps are managed in the main app only; whatever fails here would replace NocoBase's whole interface by an error. */
export function registerSafely(app: { name: string }, register: () => void): void {
  if (app.name !== 'main') {
    return;
  }
  try {
    register();
  } catch (error) {
    console.error('[app-supervisor] Its settings pages could not be registered.', error);
  }
}
