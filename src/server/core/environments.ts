import type { EnvironmentRow } from '../../shared/types';
import type { EnvironmentInfo } from './adapters/managed';

/** The core's view of the environments of a fleet. */
export const environmentsOf = (rows: EnvironmentRow[]): EnvironmentInfo[] =>
  rows.map(({ name, url, proxyUrl, available, appVersion, lastHeartbeatAt }) => ({
    name,
    url,
    proxyUrl,
    available,
    appVersion,
    ...(lastHeartbeatAt === null ? {} : { lastHeartbeatAt }),
  }));
