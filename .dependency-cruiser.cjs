/**
 * Import rules: the rooms of the house, and the arrows between them. Each room may import itself, the rooms named here,
 * `src/shared` and the root files of `src/server`; nothing else. Type imports count. There is no list of exceptions.
 */

/** What each folder of src/server may import. */
const SERVER_ROOMS = {
  /** What NocoBase's core calls; wires the rooms together. */
  core: ['supervisor', 'worker', 'proxy', 'lease', 'databases', 'protocol', 'observability', 'nocobase'],
  /** Manages apps. Knows nothing of the Worker's code. */
  supervisor: ['lease', 'databases', 'protocol', 'observability', 'nocobase'],
  /** Hosts apps. Knows nothing of the Supervisor's code. */
  worker: ['lease', 'databases', 'protocol', 'observability', 'nocobase'],
  proxy: ['protocol', 'observability'],
  /** The process that drives HAProxy; of the proxy it has what is pure. */
  door: ['proxy', 'protocol'],
  /** Who holds an environment, or the lead. */
  lease: ['nocobase'],
  databases: [],
  /** What passes between the two. */
  protocol: [],
  observability: [],
  /** What this plugin uses of the NocoBase it runs in. */
  nocobase: [],
};
/** Environment variables, read and checked. Every room may import it; it imports none. */
const SERVER = { config: [] };
for (const [room, mayImport] of Object.entries(SERVER_ROOMS)) SERVER[room] = [...mayImport, 'config'];
/** Files of src/server itself that every room may import. */
const ROOT_FILES = ['clock', 'credible', 'errors', 'feed', 'keyed-queue', 'log', 'random', 'timing', 'visitor-texts'];

/**
 * The folders of a room in their order: each imports itself and those before it. The files of the room itself wire them together; what is
 * after `.` stands on these files.
 */
const ORDER = {
  supervisor: [
    'sso',
    'definitions',
    'rollout',
    'fleet',
    'control',
    'events',
    'requests',
    'placement',
    'notices',
    'domains',
    'overview',
    'checklist',
    'joining',
    'containers',
    '.',
    'api',
  ],
  worker: ['sso', 'watchdog', 'files', 'guards', 'hosting', 'uploads', 'apps', '.'],
};

/** What each folder of src/ui may import; `host.tsx` and `nocobase-client.d.ts` are for all. */
const UI = {
  apps: ['activity', 'batches', 'common'],
  activity: ['common'],
  batches: ['common'],
  overview: ['activity', 'common'],
  environments: ['activity', 'batches', 'common'],
  notices: ['common'],
  security: ['common'],
  entries: ['common'],
  sso: ['common'],
  common: [],
};

const any = (names) => (names.length ? `(${names.join('|')})` : '(?!)');

const rooms = (base, table, rootFiles) =>
  Object.entries(table).map(([room, mayImport]) => ({
    name: `${base}/${room}`,
    comment: `${base}/${room} may import ${[room, ...mayImport, 'src/shared'].join(', ')}.`,
    severity: 'error',
    from: { path: `^${base}/${room}/` },
    to: {
      path: `^${base}/`,
      pathNot: `^${base}/(${room}|${any(mayImport)})/|^${base}/${any(rootFiles)}\\.(tsx?|d\\.ts)$`,
    },
  }));

const inOrder = (room, folders) => {
  const base = `^src/server/${room}/`;
  const inside = (names) => `${base}(${names.map((name) => (name === '.' ? '[^/]+$' : `${name}/`)).join('|')})`;
  return folders.map((folder, i) => ({
    name: `src/server/${room}: ${folder} imports nothing above it`,
    comment: `The order is ${folders.join(', ')}.`,
    severity: 'error',
    from: { path: inside([folder]) },
    to: { path: base, pathNot: inside(folders.slice(0, i + 1)) },
  }));
};

/** Whatever imports from a folder without rules, or is imported from there. */
const everyFolderHasRules = (base, folders) => {
  const unknown = { path: `^${base}/[^/]+/`, pathNot: `^${base}/${any(folders)}/` };
  const comment = `A new folder of ${base} gets a line in .dependency-cruiser.cjs.`;
  return [
    { name: `${base}: every folder that is imported has rules`, comment, severity: 'error', from: {}, to: unknown },
    { name: `${base}: every folder that imports has rules`, comment, severity: 'error', from: unknown, to: {} },
  ];
};

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    ...rooms('src/server', SERVER, ROOT_FILES),
    ...everyFolderHasRules('src/server', Object.keys(SERVER)),
    ...Object.entries(ORDER).flatMap(([room, folders]) => [
      ...inOrder(room, folders),
      ...everyFolderHasRules(
        `src/server/${room}`,
        folders.filter((folder) => folder !== '.'),
      ),
    ]),
    ...rooms('src/ui', UI, ['host', 'nocobase-client']),
    ...everyFolderHasRules('src/ui', Object.keys(UI)),
    ...everyFolderHasRules('src', ['client', 'client-v2', 'locale', 'server', 'shared', 'ui']),
    {
      name: 'the-door-is-no-proxy',
      comment: 'A door has the words of the proxy, and its pages: no server, and no table of its own.',
      severity: 'error',
      from: { path: '^src/server/door/' },
      to: {
        path: '^src/server/proxy/',
        pathNot: '^src/server/proxy/(answers|headers|sticky-environment|visitor-page)\\.ts$',
      },
    },
    {
      name: 'root-files-are-foundations',
      comment: 'What every room may import imports no room.',
      severity: 'error',
      from: { path: `^src/server/${any(ROOT_FILES)}\\.ts$` },
      to: { path: '^src/server/[^/]+/' },
    },
    {
      name: 'wiring-is-outermost',
      comment: 'plugin.ts registers the parts; nothing but the entry imports it.',
      severity: 'error',
      from: { path: '^src/server/', pathNot: '^src/server/index\\.ts$' },
      to: { path: '^src/server/(plugin|index)\\.ts$' },
    },
    {
      name: 'shared-imports-nothing',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { path: '^src/', pathNot: '^src/shared/' },
    },
    {
      name: 'shared-is-neither-node-nor-browser',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'browser-side',
      comment: 'The pages may import shared, ui and the translations only.',
      severity: 'error',
      from: { path: '^src/(ui|client|client-v2)/' },
      to: { path: '^src/', pathNot: '^src/(shared|ui|locale)/' },
    },
    {
      name: 'pages-without-zod',
      comment: 'Every page would load it: declarations of fields are plain data.',
      severity: 'error',
      from: { path: '^src/(ui|client|client-v2)/' },
      to: { path: '^node_modules/zod/', reachable: true },
    },
    {
      name: 'clients-are-entries',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/(client|client-v2)/', pathNot: '^src/$1/' },
    },
    {
      name: 'server-side',
      comment: 'The server may import the translations, not the pages.',
      severity: 'error',
      from: { path: '^src/server/' },
      to: { path: '^src/(ui|client|client-v2)/' },
    },
    {
      name: 'the-judge-decides-for-itself',
      comment:
        'What judges a simulation says from the docs what should happen: a decision of the product would expect its own fault.',
      severity: 'error',
      from: { path: '^__tests__/simulation/judge/' },
      to: { path: '^src/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'the-judge-only-looks-at-what-is-played',
      comment:
        'Through terms, loop-writes and visitors it sees what the product does; nothing else is handed to it but as a type.',
      severity: 'error',
      from: { path: '^__tests__/simulation/judge/' },
      to: {
        path: '^__tests__/',
        pathNot: '^__tests__/simulation/(judge/|(terms|loop-writes|visitors)\\.ts$)',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      // sqlite3 is the host's where it has one; tests compile it (scripts/lib/sqlite.mjs).
      to: { couldNotResolve: true, pathNot: '^(@nocobase/|@emotion/|sqlite3$)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.json', '.lua'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
