import path from 'node:path';
import { z } from 'zod';
import { type AppRecord, appDatabase } from '../../shared/messages';
import { APP_NAME } from '../../shared/names';
import type { HostConfig } from '../config/core-settings';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import { redacted } from '../nocobase/log-secrets';
import type { RequestHandlers } from '../protocol/bus';
import type { AppHost } from './hosting/host';
import { lastLines } from './log-lines';
import { uploadsSizeOf } from './uploads/folder';
import { uploadsUnreached } from './uploads/peer-requests';

const name = z.string().regex(APP_NAME);
const linesRequest = z.object({ lines: z.number().int().min(1).max(1000), until: z.number().optional() });
const logsRequest = linesRequest.extend({ name });
const sizeRequest = z.object({ name });
const eventRequest = z.object({ name, event: z.string().min(1).max(200), payload: z.unknown() });
const reachRequest = z.object({ address: z.string().url() });
const checkRequest = z.object({ name, database: appDatabase, explains: z.boolean().default(false) });

/** A worker's answers to requests: checks, logs, events; nothing that is state. */
export function workerHandlers(
  host: AppHost,
  coreApps: CoreAppRegistry,
  { logPath, apiBasePath, secrets }: Pick<HostConfig, 'logPath' | 'apiBasePath' | 'secrets'>,
  resetAdmin: RequestHandlers[string],
  recordOf: (name: string) => AppRecord | null,
): RequestHandlers {
  const apiBase = apiBasePath.replace(/\/+$/, '');
  return {
    resetAdmin,
    async checkDatabase(payload) {
      const { name, database, explains } = checkRequest.parse(payload);
      return host.databases.check(name, database, explains);
    },
    async databaseSize(payload) {
      const record = recordOf(sizeRequest.parse(payload).name);
      return { bytes: record ? await host.databases.size(record) : null };
    },
    async uploadsSize(payload) {
      return uploadsSizeOf(host.folders.storagePath, sizeRequest.parse(payload).name);
    },
    async reachUploads(payload) {
      return { cause: await uploadsUnreached(reachRequest.parse(payload).address, apiBase) };
    },
    async logs(payload) {
      const { name, lines, until } = logsRequest.parse(payload);
      return lastLines(path.join(logPath, name), lines, until);
    },
    async processLogs(payload) {
      const { lines, until } = linesRequest.parse(payload);
      return (await lastLines(path.join(logPath, 'main'), lines, until)).map((line) => redacted(line, secrets));
    },
    async appEvent(payload) {
      const { name, event, payload: data } = eventRequest.parse(payload);
      // Never boots a stopped app: an event is only for apps that run.
      if (host.isRunning(name)) await coreApps.apps[name].emitAsync(event, data);
      return null;
    },
  };
}
