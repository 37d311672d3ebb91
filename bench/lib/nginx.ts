import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, HOST, waitForHttp } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { start, stop } from './process';

/** One nginx process (without master and workers) and its address. */
export interface Nginx {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/**
 * @param locations of its only server
 * @param beside other configuration next to that server
 */
async function startNginx(locations: string, beside: string, measured: boolean): Promise<Nginx> {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-bench-'));
  const port = await freePort();
  fs.writeFileSync(
    path.join(folder, 'conf'),
    `daemon off; master_process off; pid pid; error_log stderr; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 32768; }
    http {
      access_log off; keepalive_requests 1000000000; client_max_body_size 0; tcp_nodelay on;
      ${TEMPORARY.map((kind) => `${kind}_temp_path ${kind};`).join(' ')}
      ${beside}
      server { listen ${HOST}:${port} backlog=4096; ${locations} }
    }`,
  );
  const args = ['-p', folder, '-e', 'stderr', '-c', path.join(folder, 'conf')];
  const child = start({ program: findProgram('nginx') ?? 'nginx', args, measured });
  const url = `http://${HOST}:${port}`;
  await waitForHttp(url, { timeout: 10_000, accept: () => true });
  return {
    url,
    pid: child.pid!,
    async stop() {
      await stop(child);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Bytes of an answer of the origin. */
export const SIZES = { file: 30_000, page: 100_000, upload: 262_144 };

const JSON_ANSWER = JSON.stringify({ data: { id: 1, title: 'NocoBase', raw_title: null, logo: null, options: {} } });

/**
 * The origin of all proxies: so fast that it never limits a result.
 *
 * @param reader gets the uploads: nginx itself would answer before it has read them, while proxies still send
 */
export function startOrigin(reader: string): Promise<Nginx> {
  const files = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-bench-files-'));
  fs.writeFileSync(path.join(files, 'app.js'), 'x'.repeat(SIZES.file));
  fs.writeFileSync(path.join(files, '100k'), 'x'.repeat(SIZES.page));
  process.once('exit', () => fs.rmSync(files, { recursive: true, force: true }));
  return startNginx(
    `location /upload { proxy_pass ${reader}; proxy_http_version 1.1; proxy_request_buffering off; }
     location / { default_type application/json; return 200 '${JSON_ANSWER}'; }
     location = /app.js { root ${files}; default_type text/javascript; open_file_cache max=10; }
     location = /100k { root ${files}; default_type text/plain; open_file_cache max=10; }`,
    '',
    false,
  );
}

/** As in docs/deploy/nginx.conf, with kept connections, which nginx needs to be fast. */
export function startNginxProxy(origin: string): Promise<Nginx> {
  return startNginx(
    `location / {
      proxy_pass http://origin; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $to_origin;
      proxy_request_buffering off; proxy_read_timeout 600s;
    }`,
    `map $http_upgrade $to_origin { default upgrade; '' ''; }
     upstream origin { server ${new URL(origin).host}; keepalive 256; }`,
    true,
  );
}
