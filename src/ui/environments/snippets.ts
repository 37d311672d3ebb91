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

export function snippet(format: Format, environment: NewEnvironment, known: Record<string, string>): string {
  switch (format) {
    case 'shell':
      return [
        ...workerVariables(environment, known).map(
          ([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`,
        ),
        'yarn nocobase start',
      ].join('\n');
    case 'compose':
      return compose(environment, known);
    case 'kubernetes':
      return kubernetes(environment);
  }
}

/** Adds to our docker-compose.yml, whose keys and Workers' role it uses. */
function compose(environment: NewEnvironment, known: Record<string, string>): string {
  const service = serviceOf(environment);
  const port = portOf(environment.url);
  const database = `nocobase_${identifier(environment.name, '_')}`;
  const ofFleet: Record<string, string> = {
    DB_DIALECT: 'postgres',
    DB_HOST: 'postgres',
    DB_PORT: '5432',
    DB_USER: 'nocobase_worker',
    ...known,
  };
  const inKeys = ['APP_SUPERVISOR_REDIS_URL', 'APP_COMMAND_REDIS_URL', 'APP_SUPERVISOR_AES_SECRET_KEY', 'DB_PASSWORD'];
  const reached = { ...environment, proxyUrl: environment.proxyUrl || `http://${service}` };
  const variables = workerVariables(reached, ofFleet).filter(([name]) => !inKeys.includes(name));
  return `# Save it as ${service}.yml beside the docker-compose.yml of this fleet, and start it there:
#   docker compose -f docker-compose.yml -f ${service}.yml up -d ${service}
services:
  ${service}:
    image: nocobase-app-supervisor
    command: [/app/start.sh, /keys/fleet.env]
    restart: always
    init: true
    stop_grace_period: 60s
    security_opt: ['no-new-privileges:true']
    networks: [nocobase]
    depends_on:
      ${service}-database:
        condition: service_completed_successfully
${port ? `    ports: ["${port}:80"]\n` : ''}    environment:
${variables.map(([name, value]) => `      ${name}: ${quoted(value)}`).join('\n')}
      TZ: \${TZ:-Asia/Shanghai}
    volumes:
      - keys:/keys:ro
      - storage-${service}:/app/nocobase/storage
    healthcheck:
      test:
        - CMD
        - node
        - -e
        - "fetch('http://127.0.0.1:13000/api/__ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"
      interval: 10s
      timeout: 5s
      start_period: 300s

  # Creates its main database.
  ${service}-database:
    image: \${POSTGRES_IMAGE:-postgres:16}
    networks: [nocobase]
    environment: { PGHOST: ${ofFleet.DB_HOST}, PGUSER: ${ofFleet.DB_USER}, PGDATABASE: postgres }
    entrypoint: [sh, -ec]
    command:
      - |
        . /keys/fleet.env; export PGPASSWORD="$$DB_PASSWORD"
        psql -Atc "SELECT 1 FROM pg_database WHERE datname = '${database}'" | grep -q 1 || createdb ${database}
    volumes:
      - keys:/keys:ro
      - { type: tmpfs, target: /var/lib/postgresql/data }

volumes:
  storage-${service}:`;
}

/** What differs from environment to environment in deploy/kubernetes. */
function kubernetes(environment: NewEnvironment): string {
  const suffix = identifier(environment.name, '-');
  const { proxyUrl } = environment;
  return `# In deploy/kubernetes (docs/kubernetes.md): save it as environments/${suffix}/kustomization.yaml, add
# ../../environments/${suffix} to the resources of your overlay, and apply the overlay.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../environment
nameSuffix: -${suffix}
labels:
  - pairs: { app.kubernetes.io/instance: ${suffix} }
    includeSelectors: true
    includeTemplates: true
configMapGenerator:
  - name: environment
    literals:
      - ENVIRONMENT_NAME=${environment.name || '<its name>'}
      - ENVIRONMENT_URL=${environment.url || `http://${serviceOf(environment)}`}
${proxyUrl ? `      - ENVIRONMENT_PROXY_URL=${proxyUrl}\n` : ''}      - DB_DATABASE=nocobase_${identifier(environment.name, '_')}`;
}

function portOf(url: string): string {
  try {
    return new URL(url).port;
  } catch {
    return '';
  }
}

const quoted = (value: string): string => JSON.stringify(value);
const serviceOf = ({ name }: NewEnvironment): string => `worker-${identifier(name, '-')}`;
const identifier = (name: string, separator: string): string =>
  (name || 'env').toLowerCase().replace(/[^a-z0-9]+/g, separator);
