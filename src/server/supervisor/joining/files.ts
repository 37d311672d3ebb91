import type { JoinFormat } from '../../../shared/join';
import { CONTAINER_OPTIONS } from './container-options';
import { identifierOf } from './names';
import type { WorkerSettings } from './settings';

/** The settings of a Worker as files and commands that are used as they are. Pure functions. */

const { isReadOnly, dropped, security, temporary, stopWithin, storage, port: PORT } = CONTAINER_OPTIONS;
const { healthCheck, healthTimes } = CONTAINER_OPTIONS;

type Variables = WorkerSettings['variables'];

export function filesOf(settings: WorkerSettings, initialPassword: string): Record<JoinFormat, string> {
  return {
    compose: composeOf(settings),
    docker: dockerOf(settings),
    kubernetes: kubernetesOf(settings),
    shell: shellOf(settings, initialPassword),
  };
}

/** With its addresses. A container of a network is reached by its name there. */
export function variablesInContainer({ variables, url, proxyUrl, network, container }: WorkerSettings): Variables {
  const reached = proxyUrl ?? (network ? `http://${container}` : null);
  // By its `restart` policy.
  return [...variables, ['APP_SUPERVISOR_RESTARTED', 'true'], ...addressesOf(url, reached)];
}

const addressesOf = (url: string, proxyUrl: string | null): Variables => [
  ['ENVIRONMENT_URL', url],
  ...(proxyUrl ? ([['ENVIRONMENT_PROXY_URL', proxyUrl]] as Variables) : []),
];

function composeOf(settings: WorkerSettings): string {
  const { container, image, network, url } = settings;
  const port = publishedPort(url);
  const variables = variablesInContainer(settings).map(
    ([name, value]) => `      ${name}: ${JSON.stringify(value.replaceAll('$', '$$$$'))}`,
  );
  return `# Save it as ${container}.yml, readable for you alone because it contains secrets, and start it:
#   docker compose -f ${container}.yml up -d
name: ${container}
services:
  ${container}:
    image: ${image}
    container_name: ${container}
    restart: always
    init: true
${composeOptions()}    stop_grace_period: ${stopWithin}s
${network ? '    networks: [fleet]\n' : ''}${port ? `    ports: ["${port}:${PORT}"]\n` : ''}    environment:
${variables.join('\n')}
    volumes:
      - storage:${storage}
    healthcheck:
      test:
        - CMD
        - node
        - -e
        - "${healthCheck}"
      interval: ${healthTimes.interval}s
      timeout: ${healthTimes.timeout}s
      retries: ${healthTimes.retries}
      start_period: ${healthTimes.startPeriod}s
${network ? `networks:\n  fleet: { external: true, name: ${network} }\n` : ''}volumes:
  storage:`;
}

const composeOptions = () =>
  [
    ...(isReadOnly ? ['read_only: true'] : []),
    ...listOf('cap_drop', dropped),
    ...listOf('security_opt', security),
    ...listOf('tmpfs', temporary),
  ]
    .map((line) => `    ${line}\n`)
    .join('');

const listOf = (name: string, values: string[]): string[] =>
  values.length ? [`${name}: [${values.map((value) => `'${value}'`).join(', ')}]`] : [];

/** The variables come as a file, so that they are in no list of processes. */
function dockerOf(settings: WorkerSettings): string {
  const { container, image, network, url } = settings;
  const port = publishedPort(url);
  const options = [
    `--name ${container}`,
    ...(network ? [`--network ${network}`] : []),
    ...(port ? [`--publish ${port}:${PORT}`] : []),
    `--volume ${container}-storage:${storage}`,
    `--restart always --init --stop-timeout ${stopWithin}`,
    ...(isReadOnly ? ['--read-only'] : []),
    ...dropped.map((capability) => `--cap-drop ${capability}`),
    ...security.map((option) => `--security-opt ${option}`),
    ...temporary.map((folder) => `--tmpfs ${folder}`),
    `--health-cmd ${quoted(`node -e "${healthCheck}"`)}`,
    `--health-interval ${healthTimes.interval}s --health-timeout ${healthTimes.timeout}s`,
    `--health-retries ${healthTimes.retries} --health-start-period ${healthTimes.startPeriod}s`,
    `--env-file /dev/stdin ${image} <<'END'`,
  ];
  const variables = variablesInContainer(settings).map(([name, value]) => `${name}=${value}`);
  return [`docker run --detach ${options.join(' \\\n  ')}`, ...variables, 'END'].join('\n');
}

/** What differs from environment to environment in deploy/kubernetes; keys and passwords are those of its Secrets. */
function kubernetesOf({ environment, url, proxyUrl, database }: WorkerSettings): string {
  const suffix = identifierOf(environment, '-');
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
      - ENVIRONMENT_NAME=${environment}
      - ENVIRONMENT_URL=${url}
${proxyUrl ? `      - ENVIRONMENT_PROXY_URL=${proxyUrl}\n` : ''}      - DB_DATABASE=${database.database}`;
}

function shellOf({ variables, url, proxyUrl }: WorkerSettings, initialPassword: string): string {
  const port = publishedPort(url);
  const all: Variables = [
    ...variables,
    ...addressesOf(url, proxyUrl),
    ...(port ? ([['APP_PORT', port]] as Variables) : []),
    ['INIT_ROOT_PASSWORD', initialPassword],
  ];
  return [...all.map(([name, value]) => `export ${name}=${quoted(value)}`), 'yarn nocobase start'].join('\n');
}

/** Empty if the address says nothing about a port of this machine: a proxy with TLS is in front of it. */
export function publishedPort(url: string): string {
  const { protocol, port } = new URL(url);
  return protocol === 'http:' ? port : '';
}

/** For a shell. */
const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
