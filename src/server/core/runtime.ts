import type { Application, Gateway } from '@nocobase/server';
import type { PartInfo } from '../../shared/types';
import type { Log } from '../log';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { ProbeState } from '../observability/probes';
import type { AppProxy } from '../proxy';
import type { Managed } from './adapters/managed';
import type { Manifests } from './manifests';
import type { GatewayHooks } from './routing';

/** Everything that this process is, put together by its part. One a process. */
export interface Runtime extends Managed {
  readonly coreApps: CoreAppRegistry;
  readonly manifests: Manifests;
  readonly log: Log;
  /** Passes requests on to Workers: on a Supervisor only. */
  readonly proxy: AppProxy | null;
  /** `APP_SUPERVISOR_PUBLIC_URL`, of this process or as its Supervisor published it. */
  readonly publicUrl: string | null;
  /** Adds the HTTP actions, the gateway's hooks and the metrics of this part; for each start of the main app. */
  install(main: Application, gateway: Gateway, GatewayClass: GatewayHooks): void;
  /** What the page of this process shows of it. */
  info(): Omit<PartInfo, 'part'>;
  /** What an orchestrator may know of this process. */
  sight(): ProbeState;
  /** Ends all connections; after `leave`. */
  close(): Promise<void>;
}
