import { describe, expect, it } from 'vitest';
import type { Instance } from '../../scripts/fleet';
import { summaryOf } from '../../scripts/fleet/summary';

describe('the summary of npm start', () => {
  const instance = (name: string, port: number, password: string) =>
    ({ name, url: `http://127.0.0.1:${port}`, admin: { email: 'admin@nocobase.com', password } }) as Instance;
  const fleet = {
    instances: [instance('supervisor', 14000, 'admin123'), instance('env_a', 15000, 'random')],
    postgres: null,
    postgresServer: { host: 'db', port: 5432, user: 'nocobase', password: 'secret' },
    redisUrl: 'redis://127.0.0.1:6379',
    home: '.fleet/default',
  };

  it('has every address with its sign-in', () => {
    const said = summaryOf(fleet);
    expect(said).toMatch(/supervisor +http:\/\/127\.0\.0\.1:14000 +admin@nocobase\.com \/ admin123\n/);
    expect(said).toMatch(/env_a +http:\/\/127\.0\.0\.1:15000 +admin@nocobase\.com \/ random\n/);
  });

  it('does not show the password of the user’s own server', () => {
    expect(summaryOf(fleet)).not.toContain('secret');
  });
});
