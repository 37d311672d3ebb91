/**
 * Import rules: no cycles, and layers that point one way:
 *
 *   plugin -> adapters, resources -> operations -> hosting, apps, environments, status -> wire, collections -> shared
 *
 * `config.ts`, `errors.ts` and `log.ts` may be used by every layer of the server.
 */

/** Folders of src/server from the outermost to the innermost layer. */
const LAYERS = [
  ['adapters', 'resources'],
  ['operations'],
  ['hosting', 'apps', 'environments', 'status'],
  ['wire', 'collections'],
];

const folder = (names) => `^src/server/(${names.join('|')})/`;

/** A layer may not import any layer outside it. */
const layerRules = LAYERS.slice(1).map((names, index) => ({
  name: `layers: ${names.join(', ')}`,
  comment: `${names.join(', ')} may not import ${LAYERS.slice(0, index + 1)
    .flat()
    .join(', ')}.`,
  severity: 'error',
  from: { path: folder(names) },
  to: { path: [folder(LAYERS.slice(0, index + 1).flat()), '^src/server/(proxy/|plugin\\.ts$|index\\.ts$)'] },
}));

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...layerRules,
    {
      name: 'wiring-is-outermost',
      comment: 'plugin.ts wires the services; nothing but the entry imports it.',
      severity: 'error',
      from: { path: '^src/server/', pathNot: '^src/server/index\\.ts$' },
      to: { path: '^src/server/(plugin|index)\\.ts$' },
    },
    {
      name: 'guards-stand-alone',
      comment: 'A guard knows the core, and what every layer may use.',
      severity: 'error',
      from: { path: '^src/server/guards/' },
      to: { path: '^src/server/', pathNot: '^src/server/guards/|^src/server/(config|errors|log)\\.ts$' },
    },
    {
      name: 'proxy-stands-alone',
      comment: 'proxy may import shared, and the types of status and environments.',
      severity: 'error',
      from: { path: '^src/server/proxy/' },
      to: {
        path: '^src/server/',
        pathNot: '^src/server/(proxy|status|environments)/|^src/server/(config|errors|log)\\.ts$',
      },
    },
    {
      name: 'proxy-takes-types-only',
      severity: 'error',
      from: { path: '^src/server/proxy/' },
      to: { path: '^src/server/(status|environments)/', dependencyTypesNot: ['type-only'] },
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
      name: 'clients-are-entries',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/(client|client-v2)/', pathNot: '^src/$1/' },
    },
    {
      name: 'server-side',
      severity: 'error',
      from: { path: '^src/server/' },
      to: { path: '^src/(ui|client|client-v2)/' },
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
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.json', '.lua'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
