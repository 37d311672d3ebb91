import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { RESOURCES } from '../../src/server/supervisor/api';
import { apiDescription } from '../../src/server/supervisor/api/openapi';

describe('API documentation', () => {
  it('describes every existing action, and no other', () => {
    const offered = Object.entries(RESOURCES).flatMap(([resource, actions]) =>
      Object.keys(actions).map((action) => `/${resource}:${action}`),
    );
    expect(Object.keys(apiDescription.paths).sort()).toEqual(
      [...offered, '/appEntries:list', '/appSupervisor:info'].sort(),
    );
  });

  it('requires POST for actions that change data, and says that GET is refused', () => {
    for (const [resource, actions] of Object.entries(RESOURCES)) {
      for (const [action, { reads }] of Object.entries(actions)) {
        const methods = Object.keys(apiDescription.paths[`/${resource}:${action}`]);
        if (!reads) expect(methods, `${resource}:${action}`).toEqual(['post']);
        const { responses } = Object.values(apiDescription.paths[`/${resource}:${action}`])[0];
        expect([action, Object.keys(responses).includes('405')]).toEqual([action, !reads]);
      }
    }
  });

  it('names every error code of an action', () => {
    const documented = new Set(
      Object.values(apiDescription.paths)
        .flatMap((methods) => Object.values(methods))
        .flatMap(({ responses }) => Object.values(responses))
        .flatMap(({ description }) => [
          ...description.split(', '),
          // What an answer says of some of several apps.
          ...[...description.matchAll(/\(`([A-Z_]+)`\)/g)].map(([, code]) => code),
        ]),
    );
    // What these throw reaches who asked; what happens later is told by operations and statuses (docs/errors.md).
    const folder = path.join(ROOT, 'src/server');
    const filesIn = (room: string) => readdirSync(path.join(folder, room)).map((file) => `${room}/${file}`);
    const thrown = [
      'supervisor/supervisor.ts',
      ...['definitions', 'requests', 'api'].flatMap((room) => filesIn(`supervisor/${room}`)),
    ]
      // What it throws reaches the plugin that dispatched a command.
      .filter((file) => file !== 'supervisor/requests/commands.ts')
      .map((file) => readFileSync(path.join(folder, file), 'utf8'))
      .flatMap((text) => [...text.matchAll(/(?:AppSupervisorError\(\s*|code: )'([A-Z_]+)'/g)].map(([, code]) => code));
    expect(thrown.length).toBeGreaterThan(20);
    expect(thrown.filter((code) => !documented.has(code))).toEqual([]);
  });

  it('shows defaults, but none that is generated for each request, and nothing that is always rejected', () => {
    const bodyOf = (action: string) =>
      apiDescription.paths[action].post.requestBody!.content['application/json'].schema.properties as Record<
        string,
        { default?: unknown }
      >;
    expect(bodyOf('/apps:create').name).not.toHaveProperty('default');
    expect(bodyOf('/apps:create')).not.toHaveProperty('independentSecret');
    expect(bodyOf('/apps:destroy').database.default).toBe('keep');
  });
});
