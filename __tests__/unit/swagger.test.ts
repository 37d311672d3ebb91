import { describe, expect, it } from 'vitest';
import { RESOURCES } from '../../src/server/resources';
import { apiDescription } from '../../src/server/swagger';

describe('the API documentation', () => {
  it('describes every action that there is, and no other', () => {
    const offered = Object.entries(RESOURCES).flatMap(([resource, actions]) =>
      Object.keys(actions).map((action) => `/${resource}:${action}`),
    );
    expect(Object.keys(apiDescription.paths).sort()).toEqual(
      [...offered, '/appEntries:list', '/appSupervisor:info'].sort(),
    );
  });

  it('asks for POST where an action changes something', () => {
    for (const [resource, actions] of Object.entries(RESOURCES)) {
      for (const [action, [changes]] of Object.entries(actions)) {
        const methods = Object.keys(apiDescription.paths[`/${resource}:${action}`]);
        if (changes) expect(methods, `${resource}:${action}`).toEqual(['post']);
      }
    }
  });

  it('shows defaults, but none that is made up for each request', () => {
    const bodyOf = (action: string) =>
      apiDescription.paths[action].post.requestBody!.content['application/json'].schema.properties as Record<
        string,
        { default?: unknown }
      >;
    expect(bodyOf('/apps:create').name).not.toHaveProperty('default');
    expect(bodyOf('/apps:destroy').database.default).toBe('keep');
  });
});
