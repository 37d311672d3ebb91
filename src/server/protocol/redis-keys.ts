import type { Audience } from './bus';

/**
 * Every Redis key and channel of a fleet. They are defined only here.
 *
 * | key | type | content | lifetime |
 * |---|---|---|---|
 * | `fleet` | string | id of the fleet that owns the prefix | forever |
 * | `probe` | string | nothing: whether the server accepts changes | for ever |
 * | `environments` | set | names of all environments that were ever announced | until forgotten |
 * | `registration:<env>` | string | `Registration` | until forgotten |
 * | `lease:<env>` | string | `Lease`: who announces that it holds the environment | as long as a lease |
 * | `standby:<env>` | string | instance that waits for the environment | as long as a lease |
 * | `records:<env>` | hash | uid → `AppRecord`; `:count` of the last write, with the floor of the environment | until confirmed gone; `:count` for ever |
 * | `statuses:<env>` | hash | name → `StatusEntry` | until released |
 * | `version:<env>` | string | version of the statuses | until released |
 * | `term` | string | newest term of a leading Supervisor that has written | for ever |
 * | `apps` | hash | uid → what everybody may know of an app; `:supervisor`, who manages the fleet; `:count` of the last write, with the last changes | for ever |
 * | `routes` | hash | uid → `AppRoute`; `:environment:<env>` → `EnvironmentRoute`; `:settings` → `RouteSettings`; `:count` as in `apps` | for ever |
 * | `doors` | hash | id of a door → `DoorReport`, not signed | until the door says good-bye, or a day after its last report |
 * | `manifests` | hash | JSON of `[app, namespace, item key]` → `ManifestItem` | until the app ends |
 * | `manifestsVersion` | string | changes with the manifests | for ever |
 * | `ssoCode:<hash>` | string | `SsoCode`, by which an app signs a user of the main app in | two minutes, or until redeemed |
 * | `ssoEnds` | hash | `<fleet>:<id>` of a user of the main app → `SsoEnd` | for ever |
 * | `ssoEndsVersion` | string | changes with the ends | for ever |
 *
 * The class has more than 15 fields: one for each key, so that all of them are in one place.
 */
export class Keys {
  constructor(private readonly prefix: string) {}

  readonly fleet = () => this.key('fleet');
  readonly probe = () => this.key('probe');
  readonly environments = () => this.key('environments');
  readonly registration = (environment: string) => this.key('registration', environment);
  readonly lease = (environment: string) => this.key('lease', environment);
  readonly standby = (environment: string) => this.key('standby', environment);
  readonly records = (environment: string) => this.key('records', environment);
  readonly statuses = (environment: string) => this.key('statuses', environment);
  readonly version = (environment: string) => this.key('version', environment);
  readonly term = () => this.key('term');
  readonly appIndex = () => this.key('apps');
  /** Where it was before 0.3.0. */
  readonly formerIndex = () => ['directory', 'directoryChanges', 'supervisor'].map((name) => this.key(name));
  readonly routes = () => this.key('routes');
  readonly doors = () => this.key('doors');
  readonly manifests = () => this.key('manifests');
  readonly manifestsVersion = () => this.key('manifestsVersion');
  readonly ssoCode = (hash: string) => this.key('ssoCode', hash);
  readonly ssoEnds = () => this.key('ssoEnds');
  readonly ssoEndsVersion = () => this.key('ssoEndsVersion');

  /** Channels. Pub/sub ignores the database number, so only the prefix separates fleets. */
  readonly notifications = (to: Audience) =>
    typeof to === 'string' ? this.key('wake', to) : this.key('wake', 'environment', to.environment);
  readonly requests = (environment: string) => this.key('requests', environment);
  readonly replies = (instance: string) => this.key('replies', instance);

  private key(...parts: string[]): string {
    return [this.prefix, ...parts].join(':');
  }
}
