/** What the operator enters for a new environment. */
export interface NewEnvironment {
  name: string;
  url: string;
  /** Empty: the Supervisor reaches it at `url`. */
  proxyUrl: string;
}

export type Format = 'compose' | 'shell' | 'kubernetes';

/** Placeholder for values that only the operator knows, because secrets never leave the server. */
const AS_SUPERVISOR = '<as on the Supervisor>';

/**
 * Variables of a worker, in the order of the documentation.
 *
 * @param known the values that it shares with the Supervisor, as far as the Supervisor publishes them
 */
export function workerVariables(
  { name, url, proxyUrl }: NewEnvironment,
  known: Record<string, string>,
): [string, string][] {
  const variables: [string, string][] = [
    ['APP_MODE', 'worker'],
    ['APP_DISCOVERY_ADAPTER', 'remote'],
    ['APP_PROCESS_ADAPTER', 'local'],
    ['APP_COMMAND_ADAPTER', 'redis'],
    ['APP_SUPERVISOR_REDIS_URL', AS_SUPERVISOR],
    ['APP_COMMAND_REDIS_URL', AS_SUPERVISOR],
    ['APP_SUPERVISOR_AES_SECRET_KEY', AS_SUPERVISOR],
    ['ENVIRONMENT_NAME', name || '<its name>'],
    ['ENVIRONMENT_URL', url || '<its address>'],
    ...(proxyUrl ? ([['ENVIRONMENT_PROXY_URL', proxyUrl]] as [string, string][]) : []),
    ['APPEND_PRESET_BUILT_IN_PLUGINS', '@nocobase/plugin-app-supervisor'],
    ['DB_DIALECT', AS_SUPERVISOR],
    ['DB_HOST', AS_SUPERVISOR],
    ['DB_PORT', AS_SUPERVISOR],
    // Not the Supervisor's: a Worker must not enter its database.
    ['DB_USER', '<a role for Workers>'],
    ['DB_PASSWORD', '<its password>'],
    ['DB_DATABASE', `nocobase_${identifier(name, '_')}`],
  ];
  const named = variables.map(([variable, value]): [string, string] => [variable, known[variable] ?? value]);
  const others = Object.entries(known).filter(([variable]) => !variables.some(([each]) => each === variable));
  return [...named, ...others];
}

/** @param version NocoBase version of the Supervisor, which the worker needs too */
export function snippet(
  format: Format,
  environment: NewEnvironment,
  known: Record<string, string>,
  version: string,
): string {
  const variables = workerVariables(environment, known);
  const image = `nocobase/nocobase:${version}`;
  const port = portOf(environment.url);
  const service = `worker-${identifier(environment.name, '-')}`;
  switch (format) {
    case 'shell':
      return [
        ...variables.map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`),
        'yarn nocobase start',
      ].join('\n');
    case 'compose':
      return [
        'services:',
        `  ${service}:`,
        `    image: ${image}`,
        '    restart: always',
        ...(port ? ['    ports:', `      - "${port}:80"`] : []),
        '    environment:',
        ...variables.map(([name, value]) => `      ${name}: ${quoted(value)}`),
        '    volumes:',
        `      - ./storage-${service}:/app/nocobase/storage`,
      ].join('\n');
    case 'kubernetes':
      return [
        'apiVersion: apps/v1',
        'kind: Deployment',
        'metadata:',
        `  name: ${service}`,
        'spec:',
        '  replicas: 1',
        '  selector:',
        `    matchLabels: { app: ${service} }`,
        '  template:',
        '    metadata:',
        `      labels: { app: ${service} }`,
        '    spec:',
        '      containers:',
        '        - name: nocobase',
        `          image: ${image}`,
        '          ports: [{ containerPort: 80 }]',
        '          env:',
        ...variables.map(([name, value]) => `            - { name: ${name}, value: ${quoted(value)} }`),
      ].join('\n');
  }
}

function portOf(url: string): string {
  try {
    return new URL(url).port;
  } catch {
    return '';
  }
}

const quoted = (value: string): string => JSON.stringify(value);
const identifier = (name: string, separator: string): string =>
  (name || 'env').toLowerCase().replace(/[^a-z0-9]+/g, separator);
