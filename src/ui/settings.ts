import { NotLoaded } from './common/NotLoaded';
import { key } from './common/text';
import type { ClientName } from './entries/entries';

const notLoaded = () => ({ default: NotLoaded });

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
      componentLoader: () => import('./apps/AppsPage').catch(notLoaded),
    },
    {
      key: 'environments',
      title: key('Environments'),
      sort: 2,
      aclSnippet: 'pm.app-supervisor.environments',
      componentLoader: () => import('./environments/EnvironmentsPage').catch(notLoaded),
    },
    {
      key: 'activity',
      title: key('Activity'),
      sort: 3,
      aclSnippet: 'pm.app-supervisor.activity',
      componentLoader: (client: ClientName) =>
        import('./activity/ActivityPage')
          .then(({ ACTIVITY_PAGES }) => ({ default: ACTIVITY_PAGES[client] }))
          .catch(notLoaded),
    },
    {
      key: 'security',
      title: key('Security checklist'),
      sort: 9,
      aclSnippet: 'pm.app-supervisor.security',
      componentLoader: () => import('./security/SecurityPage').catch(notLoaded),
    },
  ],
};
