import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { FleetConfig } from './config';
import type { PartOptions } from './part';
import { identify, type ProcessIdentity } from './processes';

/** What a fleet needs at its next start, and other processes need while it runs. */
interface Saved {
  /** Identifies this fleet on a Redis that it shares with others. */
  id: string;
  appKey: string;
  aesKey: string;
  postgresPassword: string;
  /** Of the Workers' database role. Absent in fleets of earlier releases, whose instances were superusers. */
  rolePassword?: string;
  /** Of the Supervisor's database role. Absent like those below. */
  supervisorRolePassword?: string;
  /** Of the fleet's own Redis. Absent until the first start of a fleet of an earlier release. */
  redisPassword?: string;
  /** Of the Supervisor's user in it. */
  supervisorRedisPassword?: string;
  /** By environment that was forgotten, as `app-supervisor:environment-key --floor` says (docs/environments.md). */
  floors?: Record<string, number>;
  config: FleetConfig | null;
  /** The process that started it and stops it. */
  launcher: ProcessIdentity | null;
  processes: Record<string, ProcessIdentity | null>;
  /** Processes that had exited by themselves before their restart. */
  lost?: string[];
  /** Id of the installed plugin. */
  pluginHash: string | null;
  /** By database: the plugin with which its instance was last ready. */
  bootedWith: Record<string, string>;
  /** Created by the launcher, which drops them if the server outlives the fleet's folder. */
  createdDatabases: string[];
  /** By database: the password with which the main app of a Worker was installed. Older ones have `ADMIN`'s. */
  workerPasswords?: Record<string, string>;
}

const passwords = () => ({
  rolePassword: randomBytes(16).toString('hex'),
  supervisorRolePassword: randomBytes(16).toString('hex'),
  redisPassword: randomBytes(16).toString('hex'),
  supervisorRedisPassword: randomBytes(16).toString('hex'),
});

const fresh = (): Saved => ({
  id: randomBytes(4).toString('hex'),
  appKey: randomBytes(32).toString('hex'),
  aesKey: randomBytes(32).toString('hex'),
  postgresPassword: randomBytes(16).toString('hex'),
  ...passwords(),
  config: null,
  launcher: null,
  processes: {},
  pluginHash: null,
  bootedWith: {},
  createdDatabases: [],
});

/** One JSON file in the fleet's folder; read at each access, because tests and launcher both write it. */
export class FleetState {
  private readonly file: string;

  constructor(home: string) {
    this.file = path.join(home, 'fleet.json');
  }

  read(): Saved {
    try {
      return JSON.parse(fs.readFileSync(this.file, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return this.write(fresh());
    }
  }

  update(change: (saved: Saved) => void): Saved {
    const saved = this.read();
    change(saved);
    return this.write(saved);
  }

  /** This process starts all parts. What an earlier release did not have is made now, when none of them runs. */
  begin(config: FleetConfig): Saved {
    return this.update((saved) => {
      saved.config = config;
      saved.launcher = identify(process.pid);
      Object.assign(saved, { ...passwords(), ...saved });
    });
  }

  /** The stored identity of one part. */
  processOf(key: string): NonNullable<PartOptions['memory']> {
    return {
      get: () => this.read().processes[key] ?? null,
      set: (identity) => {
        this.update((saved) => {
          saved.processes[key] = identity;
        });
      },
      lost: () => {
        this.update((saved) => {
          saved.lost = [...(saved.lost ?? []), key];
        });
      },
    };
  }

  private write(saved: Saved): Saved {
    fs.mkdirSync(path.dirname(this.file), { recursive: true });
    fs.writeFileSync(`${this.file}.new`, JSON.stringify(saved, null, 2), { mode: 0o600 });
    fs.renameSync(`${this.file}.new`, this.file);
    return saved;
  }
}
