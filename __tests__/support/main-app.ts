import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Application } from '@nocobase/server';
import { vi } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { registerEntries } from '../../src/server/core/entries';
import { registerPartInfo } from '../../src/server/core/part-info';
import { closeTables, registerResources } from '../../src/server/supervisor/api';
import type { SupervisorPart } from '../../src/server/supervisor/supervisor';
import { coreApp } from './core-app';
import { type Answer, ask } from './http';

/** A main app at its HTTP interface, by the core's own routing and ACL, without a database of the core. */
export class ServedMainApp {
  private constructor(
    readonly app: Application,
    private readonly server: http.Server,
  ) {}

  /**
   * @param supervisor null: nothing manages apps
   * @param roles with their snippets; `root` is there
   */
  static async begin(
    supervisor: SupervisorPart | null = null,
    roles: Record<string, string[]> = {},
  ): Promise<ServedMainApp> {
    // The core prints each request, and each action that does not exist.
    vi.stubEnv('LOGGER_SILENT', 'true');
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const app = coreApp('main', {}, undefined, { resourcer: { prefix: '/api' } });
    // As plugins of the core do.
    app.resourceManager.registerActionHandlers({ move: async () => undefined, export: async () => undefined });
    const takeRole = async (ctx: any, next: () => Promise<void>) => {
      ctx.state.currentRole = ctx.get('x-role');
      ctx.state.currentRoles = [ctx.get('x-role')];
      await next();
    };
    app.resourceManager.use(takeRole as never, { tag: 'takeRole', before: 'acl' });
    for (const collection of collections) app.db.collection({ ...collection });
    registerPartInfo(app, null, null);
    registerEntries(app, null, null);
    registerResources(app, supervisor, 'dormant');
    closeTables(
      app,
      collections.map(({ name }) => name),
    );
    app.acl.define({ role: 'root' });
    for (const [role, snippets] of Object.entries(roles))
      for (const snippet of snippets) (app.acl.getRole(role) ?? app.acl.define({ role })).snippets.add(snippet);
    const server = http.createServer(app.callback());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ServedMainApp(app, server);
  }

  async end(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  }

  send(
    method: string,
    path: string,
    body?: unknown,
    role = 'root',
    more: Record<string, string> = {},
  ): Promise<Answer> {
    const { port } = this.server.address() as AddressInfo;
    return ask(`http://127.0.0.1:${port}`, `/api/${path}`, { method, headers: { 'X-Role': role, ...more }, body });
  }
}
