import type { JoinFormat } from '../../../shared/join';
import { CONTAINER_OPTIONS } from './container-options';
import { identifierOf } from './names';
import { isSecret, type WorkerSettings } from './worker-settings';

/** The settings of a Worker as files and commands that are used as they are. Pure functions. */

const { dropped, security, temporary, stopWithin, storage, port: PORT } = CONTAINER_OPTIONS;
const { healthCheck, healthTimes, keys, start, memory, processes, log } = CONTAINER_OPTIONS;

type Variables = WorkerSettings['variables'];

/** Where the container reads its secrets. */
export const SECRETS_FILE = `${keys}/worker.env`;
/** Of the image, on a container of that file's folder. */
export const COMMAND = [start, SECRETS_FILE];

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

/** `NAME='value'` lines for start.sh, and what may be seen. */
export function dividedVariables(all: Variables): { secrets: string[]; open: Variables } {
  return {
    secrets: all.filter(([name]) => isSecret(name)).map(([name, value]) => `${name}=${quoted(value)}`),
    open: all.filter(([name]) => !isSecret(name)),
  };
}

const addressesOf = (url: string, proxyUrl: string | null): Variables => [
  ['ENVIRONMENT_URL', url],
  ...(proxyUrl ? ([['ENVIRONMENT_PROXY_URL', proxyUrl]] as Variables) : []),
];

function composeOf(settings: WorkerSettings): string {
  const { container, image, network, url } = settings;
  const port = publishedOn(url);
  const { secrets, open } = dividedVariables(variablesInContainer(settings));
  const uninterpolated = (text: string) => text.replaceAll('$', '$$$$');
  const variables = open.map(([name, value]) => `      ${name}: ${JSON.stringify(uninterpolated(value))}`);
  return `# Save it as ${container}.yml, readable for you alone because it contains secrets, and start it:
#   docker compose -f ${container}.yml up -d
# It needs Docker Compose 2.23.1.
name: ${container}
services:
  # Keeps the secrets out of the configuration of containers.
  keys:
    image: ${image}
    restart: 'no'
    network_mode: none
    cap_drop: ${listOf(dropped)}
    command: ['sh', '-c', 'umask 077; cat /secrets.env > ${SECRETS_FILE}']
    configs: [{ source: secrets, target: /secrets.env }]
    volumes: ['keys:${keys}']
  ${container}:
    image: ${image}
    container_name: ${container}
    depends_on: { keys: { condition: service_completed_successfully } }
    command: ${listOf(COMMAND)}
    restart: always
    init: true
    read_only: true
    cap_drop: ${listOf(dropped)}
    security_opt: ${listOf(security)}
    tmpfs: ${listOf(temporary)}
    mem_limit: ${memory / 1024}g
    pids_limit: ${processes}
    logging: { driver: json-file, options: { max-size: ${log.size}, max-file: '${log.files}' } }
    stop_grace_period: ${stopWithin}s
${network ? '    networks: [fleet]\n' : ''}${port ? `    ports: ["${port}"]\n` : ''}    environment:
${variables.join('\n')}
    volumes:
      - keys:${keys}:ro
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
configs:
  secrets:
    content: |
${secrets.map((line) => `      ${uninterpolated(line)}`).join('\n')}
${network ? `networks:\n  fleet: { external: true, name: ${network} }\n` : ''}volumes:
  keys:
  storage:`;
}

const listOf = (values: string[]): string => `[${values.map((value) => `'${value}'`).join(', ')}]`;

/**
 * The secrets come as the input of a container that stores them in a volume, so that they are in no list of processes and in the
 * configuration of no container.
 */
function dockerOf(settings: WorkerSettings): string {
  const { container, image, network, url } = settings;
  const port = publishedOn(url);
  const { secrets, open } = dividedVariables(variablesInContainer(settings));
  const volume = `--volume ${container}-keys:${keys}`;
  const options = [
    `--name ${container}`,
    ...(network ? [`--network ${network}`] : []),
    ...(port ? [`--publish ${port}`] : []),
    `${volume}:ro`,
    `--volume ${container}-storage:${storage}`,
    `--restart always --init --stop-timeout ${stopWithin}`,
    `--memory ${memory}m --pids-limit ${processes}`,
    `--log-driver json-file --log-opt max-size=${log.size} --log-opt max-file=${log.files}`,
    '--read-only',
    ...dropped.map((capability) => `--cap-drop ${capability}`),
    ...security.map((option) => `--security-opt ${option}`),
    ...temporary.map((folder) => `--tmpfs ${folder}`),
    `--health-cmd ${quoted(`node -e "${healthCheck}"`)}`,
    `--health-interval ${healthTimes.interval}s --health-timeout ${healthTimes.timeout}s`,
    `--health-retries ${healthTimes.retries} --health-start-period ${healthTimes.startPeriod}s`,
    `--env-file /dev/stdin ${image} ${COMMAND.join(' ')} <<'END'`,
  ];
  return [
    `docker run --rm --interactive --network none ${volume} ${image} sh -c 'umask 077; cat > ${SECRETS_FILE}' <<'END'`,
    ...secrets,
    'END',
    `docker run --detach ${options.join(' \\\n  ')}`,
    ...open.map(([name, value]) => `${name}=${value}`),
    'END',
  ].join('\n');
}

/** What differs from environment to environment in deploy/kubernetes; keys and passwords are those of its Secrets. */
function kubernetesOf({ environment, url, proxyUrl, database, floor }: WorkerSettings): string {
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
${floor ? `      - ENVIRONMENT_FLOOR=${floor}\n` : ''}      - ENVIRONMENT_URL=${url}
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

/** `[address:]port:port`; empty: nothing is published. An address of this machine alone is for this machine alone. */
function publishedOn(url: string): string {
  const port = publishedPort(url);
  return port && `${isLoopback(url) ? '127.0.0.1:' : ''}${port}:${PORT}`;
}

/** Whether only the machine itself reaches the address. */
export const isLoopback = (url: string): boolean => /^(?:localhost|127(?:\.\d+){3})$/.test(new URL(url).hostname);

/** For a shell. */
const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
