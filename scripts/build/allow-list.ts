import { DIALECTS } from '../../src/shared/dialects';

/**
 * What a bundle may leave to its host. Everything else is bundled (server) or fails the build (clients): RequireJS
 * answers an unknown id with the HTML shell, which replaces the whole admin UI by "App error".
 */

export const LANES = ['client', 'client-v2'] as const;
export type Lane = (typeof LANES)[number];

/** Ids that the RequireJS of both clients of NocoBase 2.2 defines, as tested in a browser. */
const BOTH_CLIENTS = [
  'react',
  'react-dom',
  'react/jsx-runtime',
  'react-router',
  'react-router-dom',
  'antd',
  'antd-style',
  '@ant-design/icons',
  '@ant-design/cssinjs',
  'i18next',
  'react-i18next',
  '@formily/antd-v5',
  '@formily/core',
  '@formily/react',
  '@formily/shared',
  '@formily/reactive',
  '@nocobase/utils',
  '@nocobase/utils/client',
  '@nocobase/evaluators',
  '@nocobase/evaluators/client',
  '@nocobase/client-v2',
  '@nocobase/client-v2/client-v2',
  '@nocobase/flow-engine',
  '@dnd-kit/core',
  '@dnd-kit/sortable',
  'axios',
  'dayjs',
  'lodash',
  'ahooks',
  '@emotion/css',
  'file-saver',
  '@ctrl/tinycolor',
];

const LEGACY_CLIENT_ONLY = [
  '@nocobase/client',
  '@nocobase/client/client',
  '@nocobase/sdk',
  '@formily/json-schema',
  '@formily/path',
  '@formily/validator',
  '@formily/reactive-react',
];

export const CLIENT_EXTERNALS: Record<Lane, ReadonlySet<string>> = {
  client: new Set([...BOTH_CLIENTS, ...LEGACY_CLIENT_ONLY]),
  'client-v2': new Set(BOTH_CLIENTS),
};

/**
 * Packages that the server takes from the NocoBase in which it is installed: the process must have only one copy of
 * each. `pg` loads `pg-native` where it is installed.
 */
const SERVER_HOST_PACKAGES = ['sequelize', 'pg-native', ...Object.values(DIALECTS).map(({ driver }) => driver)];

export const isServerExternal = (id: string): boolean =>
  id.startsWith('@nocobase/') || SERVER_HOST_PACKAGES.some((name) => id === name || id.startsWith(`${name}/`));

/** The name that `define()` needs for RequireJS to find the bundle. */
export const defineName = (packageName: string, lane: Lane): string =>
  lane === 'client' ? packageName : `${packageName}/${lane}`;
