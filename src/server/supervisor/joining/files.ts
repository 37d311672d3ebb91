import type { JoinFormat } from '../../../shared/join';
import { identifierOf } from './names';
import type { WorkerSettings } from './settings';

/** The settings of a Worker as files and commands that are used as they are. Pure functions. */

/** In a container, the image's nginx listens there. */
const PORT = 80;
/** Where the image stores files. */
const STORAGE = '/app/nocobase/storage';
/** The image has no curl. */
export const HEALTH_CHECK =
  "fetch('http://127.0.0.1:13000/api/__ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))";

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
  return [...variables, ...addressesOf(url, reached)];
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
    security_opt: ['no-new-privileges:true']
    stop_grace_period: 60s
${network ? '    networks: [fleet]\n' : ''}${port ? `    ports: ["${port}:${PORT}"]\n` : ''}    environment:
${variables.join('\n')}
    volumes:
      - storage:${STORAGE}
    healthcheck:
      test:
        - CMD
        - node
        - -e
        - "${HEALTH_CHECK}"
      interval: 10s
      timeout: 5s
      retries: 3
      start_period: 300s
${network ? `networks:\n  fleet: { external: true, name: ${network} }\n` : ''}volumes:
  storage:`;
}

/** The variables come as a file, so that they are in no list of processes. */
function dockerOf(settings: WorkerSettings): string {
  const { container, image, network, url } = settings;
  const port = publishedPort(url);
  const options = [
    `--name ${container}`,
    ...(network ? [`--network ${network}`] : []),
    ...(port ? [`--publish ${port}:${PORT}`] : []),
    `--volume ${container}-storage:${STORAGE}`,
    '--restart always --init --security-opt no-new-privileges:true --stop-timeout 60',
    `--health-cmd ${quoted(`node -e "${HEALTH_CHECK}"`)}`,
    '--health-interval 10s --health-timeout 5s --health-retries 3 --health-start-period 300s',
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
function publishedPort(url: string): string {
  const { protocol, port } = new URL(url);
  return protocol === 'http:' ? port : '';
}

/** For a shell. */
const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
