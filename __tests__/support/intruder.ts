import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HOST } from '../../scripts/fleet';
import { PLUGIN_STORAGE } from '../../scripts/fleet/plugin';
import { ROOT } from '../../scripts/lib/root.mjs';

/** What the tests of guards attack with, and what they look at afterwards. */

/** A folder for files that an attack leaves when it works. */
export const makeTraces = (): string => fs.mkdtempSync(path.join(tmpdir(), 'traces_'));

/** A plugin that is not installed, as an archive on the host. */
export class StrangePlugin {
  readonly packageName: string;
  readonly archive: string;

  constructor(folder: string, name: string) {
    this.packageName = `@nocobase/plugin-${name}`;
    const source = path.join(folder, name, 'package');
    fs.mkdirSync(source, { recursive: true });
    const { packageName } = this;
    fs.writeFileSync(
      path.join(source, 'package.json'),
      JSON.stringify({ name: packageName, version: '1.0.0', main: 'server.js' }),
    );
    fs.writeFileSync(path.join(source, 'server.js'), 'exports.default = class {};');
    this.archive = path.join(folder, `${name}.tgz`);
    execFileSync('tar', ['-czf', this.archive, '-C', path.dirname(source), 'package']);
  }

  private get folder(): string {
    return path.join(PLUGIN_STORAGE, this.packageName);
  }
  private get link(): string {
    return path.join(ROOT, 'node_modules', this.packageName);
  }

  /** Whether it lies where NocoBase looks for plugins. */
  get isInstalled(): boolean {
    return fs.existsSync(path.join(this.link, 'package.json'));
  }

  /** As an operator's archive that was unpacked. */
  install(): void {
    fs.mkdirSync(this.folder, { recursive: true });
    execFileSync('tar', ['-xzf', this.archive, '-C', this.folder, '--strip-components=1']);
    if (!fs.existsSync(this.link)) fs.symlinkSync(this.folder, this.link, 'dir');
  }

  /** Leaves nothing of it. */
  erase(): void {
    for (const place of [this.link, this.folder]) fs.rmSync(place, { recursive: true, force: true });
  }
}

/** The status of an answer that comes before the upload has ended; throws when none comes. */
export function answerToUnfinishedUpload(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, {
      method: 'POST',
      agent: false,
      timeout: 20_000,
      headers: { ...headers, 'Content-Type': 'multipart/form-data; boundary=x', 'Content-Length': '50000000' },
    });
    request.on('timeout', () => request.destroy(new Error('No answer before the end of the upload.')));
    request.on('error', reject);
    request.on('response', ({ statusCode = 0 }) => {
      resolve(statusCode);
      request.destroy();
    });
    request.write('--x\r\nContent-Disposition: form-data; name="file"; filename="plugin.tgz"\r\n\r\n');
  });
}

/** An MCP server with one tool, reached by HTTP. */
export async function startMcpServer(tool: string): Promise<{ url: string; close(): void }> {
  const results: Record<string, object> = {
    initialize: {
      protocolVersion: '2025-03-26',
      capabilities: { tools: {} },
      serverInfo: { name: 'test', version: '1.0.0' },
    },
    'tools/list': { tools: [{ name: tool, description: tool, inputSchema: { type: 'object', properties: {} } }] },
  };
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    // It has nothing to tell by itself, for which a client would GET.
    if (request.method !== 'POST') return response.writeHead(405).end();
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString());
    if (id === undefined) return response.writeHead(202).end();
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: results[method] ?? {} }));
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return { url: `http://${HOST}:${(server.address() as AddressInfo).port}/mcp`, close: () => server.close() };
}
