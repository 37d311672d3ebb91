import type { Application, Gateway } from '@nocobase/server';
import type { PartInfo } from '../../shared/types';
import type { Log } from '../log';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { ProbeState } from '../observability/probes';
import type { AppProxy } from '../proxy';
import type { Managed } from './adapters/managed';
import type { Manifests } from './manifests';
import type { GatewayHooks } from './routing';

/** All services of this process, assembled by its role. One for each process. */
export interface Runtime extends Managed {
  readonly coreApps: CoreAppRegistry;
  readonly manifests: Manifests;
  readonly log: Log;
  /** Forwards requests to Workers; only on a Supervisor. */
  readonly proxy: AppProxy | null;
  /** `APP_SUPERVISOR_PUBLIC_URL`, of this process or as its Supervisor published it. */
  readonly publicUrl: string | null;
  /** `APP_SUPERVISOR_APPS_DOMAIN`, in the same way. */
  readonly appsDomain: string | null;
  /** Adds the HTTP actions, the gateway's hooks and the metrics of this role; called for each start of the main app. */
  install(main: Application, gateway: Gateway, GatewayClass: GatewayHooks): void;
  /** An app was created in this process that is not the main app. */
  hosted(app: Application): void;
  /** What the page of this process shows. */
  info(): Omit<PartInfo, 'part'>;
  /** The state for an orchestrator's probes. */
  probeState(): ProbeState;
  /** Closes all connections; after `leave`. */
  close(): Promise<void>;
}
