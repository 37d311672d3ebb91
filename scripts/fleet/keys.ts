import { fleetKeyOf } from '../../src/server/protocol/keyring';
import { doorAcl, type RedisUser, supervisorAcl, workerAcl } from '../../src/server/supervisor/joining/redis-user';
import { doorKeysOf, doorUserOf, redisUserOf, workerSecretsOf } from '../../src/server/supervisor/joining/worker-keys';
import type { FleetConfig, InstanceConfig } from './config';
import type { RolePasswords } from './roles';
import type { FleetState } from './state';

export type InstanceKeys = { APP_KEY: string } & (
  | { APP_SUPERVISOR_AES_SECRET_KEY: string }
  | { APP_SUPERVISOR_ENVIRONMENT_KEY: string }
);

const PREFIX = 'app-supervisor';

/**
 * What each instance of a fleet has of its secrets: the Supervisor all keys, a Worker those that **Add environment** gives to its
 * environment, unless the options say that all share them.
 */
export class FleetKeys {
  constructor(
    private readonly config: FleetConfig,
    private readonly state: Pick<FleetState, 'read'>,
  ) {}

  get rolePasswords(): RolePasswords {
    const { supervisorRolePassword = '', rolePassword = '' } = this.state.read();
    return { supervisor: supervisorRolePassword, worker: rolePassword };
  }

  /** Of an instance's database role. */
  rolePasswordOf({ part }: InstanceConfig): string {
    return this.rolePasswords[part === 'supervisor' ? 'supervisor' : 'worker'];
  }

  of(instance: InstanceConfig): InstanceKeys {
    const { appKey, aesKey } = this.state.read();
    if (!this.areOwn(instance)) return { APP_KEY: appKey, APP_SUPERVISOR_AES_SECRET_KEY: aesKey };
    return Object.fromEntries(
      workerSecretsOf(this.fleetKey, instance.name, this.floorOf(instance.name)),
    ) as InstanceKeys;
  }

  /** The address of the fleet's own Redis, as the user of an instance. */
  redisUrlOf(instance: InstanceConfig, address: string): string {
    if (this.config.sharedKeys) return address;
    const url = new URL(address);
    const { name, password } = this.areOwn(instance) ? this.workerUser(instance.name) : this.supervisorUser;
    Object.assign(url, { username: name, password });
    return url.href;
  }

  /** What the users of the fleet's own Redis may do, by name. */
  redisUsers(): Record<string, string> {
    if (this.config.sharedKeys) return {};
    const rules = ({ name }: RedisUser, command: string) => [name, command.slice(`ACL SETUSER ${name} `.length)];
    const workers = this.config.instances.filter((instance) => this.areOwn(instance));
    return Object.fromEntries([
      rules(this.supervisorUser, supervisorAcl(this.supervisorUser, PREFIX)),
      rules(doorUserOf(this.fleetKey), doorAcl(doorUserOf(this.fleetKey), PREFIX)),
      ...workers.map(({ name }) => {
        const user = this.workerUser(name);
        return rules(user, workerAcl(user, PREFIX, name));
      }),
    ]);
  }

  /**
   * The variables of the doors.
   * @param address of the fleet's own Redis
   */
  ofDoors(address: string): Record<string, string> {
    const url = this.redisUrlOf(this.config.instances[0], address);
    const redis = { stateUrl: url, commandUrl: url, prefix: PREFIX };
    return Object.fromEntries(doorKeysOf({ fleetKey: this.fleetKey, redis }).variables);
  }

  private get supervisorUser(): RedisUser {
    return { name: 'supervisor', password: this.state.read().supervisorRedisPassword ?? '' };
  }

  /** Its password stays when a test changes the keys: the users of a running server are not made again. */
  private workerUser(environment: string): RedisUser {
    return redisUserOf(
      fleetKeyOf(Buffer.from(this.state.read().aesKey, 'hex')),
      environment,
      this.floorOf(environment),
    );
  }

  private floorOf(environment: string): number {
    return this.state.read().floors?.[environment] ?? 0;
  }

  private areOwn({ part }: InstanceConfig): boolean {
    return part === 'worker' && !this.config.sharedKeys;
  }

  /** Of which the keys of environments are derived. A test may have given other keys to the Supervisor. */
  private get fleetKey(): Buffer {
    const { aesKey, appKey } = this.state.read();
    const { env } = this.config.instances[0];
    const secret = env.APP_SUPERVISOR_AES_SECRET_KEY ?? aesKey;
    return fleetKeyOf(secret ? Buffer.from(secret, 'hex') : (env.APP_KEY ?? appKey));
  }
}
