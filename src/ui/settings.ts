import { NotLoaded } from './common/NotLoaded';
import { ENVIRONMENTS, NOTIFICATIONS, SECURITY } from './common/snippets';
import { key } from './common/text';

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
      key: 'overview',
      title: key('Overview'),
      sort: 1,
      aclSnippet: 'pm.app-supervisor.overview',
      componentLoader: () => import('./overview/OverviewPage').catch(notLoaded),
    },
    {
      key: 'apps',
      title: key('Apps'),
      sort: 2,
      aclSnippet: 'pm.app-supervisor.apps',
      componentLoader: () => import('./apps/AppsPage').catch(notLoaded),
    },
    {
      key: 'environments',
      title: key('Environments'),
      sort: 3,
      aclSnippet: ENVIRONMENTS,
      componentLoader: () => import('./environments/EnvironmentsPage').catch(notLoaded),
    },
    {
      key: 'activity',
      title: key('Activity'),
      sort: 4,
      aclSnippet: 'pm.app-supervisor.activity',
      componentLoader: () => import('./activity/ActivityPage').catch(notLoaded),
    },
    {
      key: 'notifications',
      title: key('Notifications'),
      sort: 5,
      aclSnippet: NOTIFICATIONS,
      componentLoader: () => import('./notices/NoticesPage').catch(notLoaded),
    },
    {
      key: 'security',
      title: key('Security checklist'),
      sort: 9,
      aclSnippet: SECURITY,
      componentLoader: () => import('./security/SecurityPage').catch(notLoaded),
    },
  ],
};
