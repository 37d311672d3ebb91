import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, HOST, Part } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { ROOT } from '../../scripts/lib/root.mjs';

/** What stands in front of a Supervisor, with the very files of docs/deploy. */
export interface Front {
  /** Such as `http://127.0.0.1:8080`. */
  url: string;
  /** The file to which it writes. */
  log: string;
  stop(): Promise<void>;
}

const KINDS = {
  nginx: {
    file: 'nginx.conf',
    listen: 'listen 80 default_server;',
    listenOn: (port: number) => `listen ${HOST}:${port};`,
    below: (folder: string) => ({ 'location / {': `location ${folder} {` }),
    /** What the distribution's own nginx.conf is around the file; nothing of it outside of the folder. */
    main: (folder: string, site: string) => `
      daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; user root;
      events {}
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')}
        include ${site};
      }`,
    // Errors as in docker/entrypoint.sh.
    args: (folder: string, main: string) => ['-e', 'stderr', '-p', folder, '-c', main],
  },
  caddy: {
    file: 'Caddyfile',
    listen: ':80 {',
    listenOn: (port: number) => `http://:${port} {\n\tbind ${HOST}`,
    below: (folder: string) => ({ 'handle {': `handle ${folder}* {` }),
    main: (_: string, site: string) => `{\n\tadmin off\n}\nimport ${site}\n`,
    args: (_: string, main: string) => ['run', '--adapter', 'caddyfile', '--config', main],
  },
};
export type FrontKind = keyof typeof KINDS;

/**
 * @param to the Supervisor's address, or for nginx those of several
 * @param below a sub-path such as `/portal/` instead of everything
 */
export async function startFront(kind: FrontKind, to: string | string[], below?: string): Promise<Front> {
  const { file, listen, listenOn, below: belowOf } = KINDS[kind];
  const port = await freePort();
  const folder = fs.mkdtempSync(path.join(tmpdir(), `app-supervisor-${kind}-`));
  const changes = {
    [listen]: listenOn(port),
    // One line `server …;` for each of them.
    '127.0.0.1:14000': [to]
      .flat()
      .map((url) => new URL(url).host)
      .join(';\n    server '),
    ...(below && belowOf(below)),
  };
  return run(kind, folder, port, changed(fs.readFileSync(path.join(ROOT, 'docs/deploy', file), 'utf8'), changes));
}

/** Names in the files for an apps' domain, and the folder of their certificates: `<name>.pem` and `<name>.key`. */
export interface FrontDomains {
  main: string;
  apps: string;
  certificates: string;
}

/**
 * The same with HTTPS, from the files for `APP_SUPERVISOR_APPS_DOMAIN`.
 * @returns with the address of main
 */
export async function startFrontWithDomain(kind: FrontKind, to: string, domains: FrontDomains): Promise<Front> {
  const port = await freePort();
  const folder = fs.mkdtempSync(path.join(tmpdir(), `app-supervisor-${kind}-`));
  const { file, listens } = WITH_DOMAIN[kind];
  let text = fs.readFileSync(path.join(ROOT, 'docs/deploy', file), 'utf8').replace(/^#.*$/gm, '');
  const changes = {
    '127.0.0.1:14000': new URL(to).host,
    '/etc/ssl': domains.certificates,
    ...listens(port),
    'nocobase.example.com': domains.main,
    'apps.example.com': domains.apps,
  };
  for (const [from, into] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`"${from}" is not in ${file}.`);
    text = text.replaceAll(from, into);
  }
  const front = await run(kind, folder, port, text);
  return { ...front, url: `https://${domains.main}:${port}` };
}

const WITH_DOMAIN = {
  nginx: {
    file: 'nginx-apps-domain.conf',
    listens: (port: number) => ({ 'listen 443 ': `listen ${HOST}:${port} ` }),
  },
  caddy: {
    file: 'Caddyfile-apps-domain',
    listens: (port: number): Record<string, string> => ({
      'nocobase.example.com {': `nocobase.example.com:${port} {\n\tbind ${HOST}`,
      '*.apps.example.com {': `*.apps.example.com:${port} {\n\tbind ${HOST}`,
    }),
  },
};

/** NocoBase's own command, by which the official image makes this configuration each time that it starts. */
const CREATE_NGINX_CONF = `
  const command = require(${JSON.stringify(path.join(ROOT, 'node_modules/@nocobase/cli-v1/src/commands/create-nginx-conf.js'))});
  command({ command: () => ({ action: (create) => create() }) });`;

interface NocobaseInImage {
  url: string;
  /** `STORAGE_PATH` */
  storage: string;
  /** The folder with the `node_modules` whose pages it serves. */
  home?: string;
  /** `APP_PUBLIC_PATH` */
  publicPath?: string;
  /** How long it keeps a connection without a request; the image says nothing, and nginx's default is 75 s. */
  keptFor?: string;
}

/** The nginx that stands in the official image before its NocoBase, and serves some addresses from the disk itself. */
export async function startImageNginx(nocobase: NocobaseInImage): Promise<Front> {
  const { folder, port, made } = await makeImageConf(nocobase);
  return run('nginx', folder, port, changed(made, { 'access_log /var/log/nginx/nocobase.log apm;': '' }));
}

/** The same in the image of this repository, as docker/entrypoint.sh starts it for a role. @param where its port */
export async function startOwnNginx(
  nocobase: NocobaseInImage,
  role: 'supervisor' | 'worker',
  where?: number,
): Promise<Front> {
  const { folder, port, made } = await makeImageConf(nocobase, where);
  const own = (name: string) => fs.readFileSync(path.join(ROOT, 'docker', name), 'utf8');
  const server = execFileSync('sed', ['-f', path.join(ROOT, 'docker/server.sed')], { input: made, encoding: 'utf8' });
  fs.writeFileSync(path.join(folder, 'server.conf'), server.replaceAll('/run/nocobase', folder));
  fs.writeFileSync(path.join(folder, 'away.conf'), own(`away/${role}.conf`));
  const main = `daemon off; user root;\n${own('nginx.conf')}`
    .replace('worker_processes auto', 'worker_processes 1')
    .replaceAll('/app/nocobase/storage/.nginx', folder)
    .replaceAll('/run/nocobase', folder);
  return run('nginx', folder, port, '', main);
}

/** @returns what NocoBase's own command makes, listening on a port of ours */
async function makeImageConf(nocobase: NocobaseInImage, where?: number) {
  const { url, storage, home = ROOT, publicPath = '/', keptFor = '75s' } = nocobase;
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-image-'));
  // The image's /app/nocobase.
  fs.symlinkSync(path.join(home, 'node_modules'), path.join(folder, 'node_modules'));
  fs.symlinkSync(storage, path.join(folder, 'storage'));
  execFileSync(process.execPath, ['-e', CREATE_NGINX_CONF], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      APP_PORT: new URL(url).port,
      APP_PUBLIC_PATH: publicPath,
      STORAGE_PATH: folder,
    },
  });
  const port = where ?? (await freePort());
  const made = fs.readFileSync(path.join(folder, 'nocobase.conf'), 'utf8');
  const listen = `${KINDS.nginx.listenOn(port)} keepalive_timeout ${keptFor};`;
  return { folder, port, made: changed(made, { 'listen 80;': listen }) };
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, HOST);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/**
 * @param text the site's configuration
 * @param whole all of the configuration, which includes the site's
 */
async function run(kind: FrontKind, folder: string, port: number, text: string, whole?: string): Promise<Front> {
  const { main, args } = KINDS[kind];
  const site = path.join(folder, 'site');
  fs.writeFileSync(site, text);
  const config = path.join(folder, 'main');
  fs.writeFileSync(config, whole ?? main(folder, site));

  const url = `http://${HOST}:${port}`;
  const part = new Part({
    name: kind,
    logFile: path.join(folder, 'log'),
    command: () => ({
      program: findProgram(kind) ?? kind,
      args: args(folder, config),
      // Where Caddy would keep certificates.
      options: { cwd: folder, env: { PATH: process.env.PATH, HOME: folder } },
    }),
    ready: () => isOpen(port),
    readyWithin: 20_000,
    stopSignal: 'SIGTERM',
    stopWithin: 5_000,
  });
  await part.start();
  return {
    url,
    log: path.join(folder, 'log'),
    async stop() {
      await part.stop();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @throws when something to change is not there exactly once: then the file was changed, and this must follow. */
function changed(text: string, changes: Record<string, string>): string {
  for (const [from, to] of Object.entries(changes)) {
    const parts = text.split(`${from}`);
    // Comments may name it as well.
    const code = text.split('\n').filter((line) => !line.trim().startsWith('#') && line.includes(from));
    if (code.length !== 1)
      throw new Error(`"${from}" is there ${code.length} times, ${parts.length - 1} with comments.`);
    text = text
      .split('\n')
      .map((line) => (line.trim().startsWith('#') ? line : line.replace(from, () => to)))
      .join('\n');
  }
  return text;
}
