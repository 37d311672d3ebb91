import { type FlowEngineContext, useFlowEngine } from '@nocobase/flow-engine';
import { useMemo, useSyncExternalStore } from 'react';
import { CHANGED, PLUGIN } from '../shared/names';
import { isShownTo } from './common/snippets';

/** Everything that these pages use of NocoBase; no other file of `src/ui` imports from it. */

export type Translate = (text: string, values?: Record<string, unknown>) => string;

export interface Request {
  url: string;
  method: 'get' | 'post';
  params?: Record<string, unknown>;
  data?: unknown;
}

export interface HostInfo {
  /** Version of the NocoBase that serves this page. */
  version: string | null;
  /** Dialect of its main database. */
  dialect: string | null;
}

export type Host = ReturnType<typeof hostOf>;

function saveAs(content: Blob, file: string): void {
  const address = URL.createObjectURL(content);
  Object.assign(document.createElement('a'), { href: address, download: file }).click();
  // Some browsers read it after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function hostOf(context: FlowEngineContext) {
  const { app, api } = context;
  return {
    t: ((text, values) =>
      context.t(text, { ns: [PLUGIN, 'client'], interpolation: { escapeValue: false }, ...values })) as Translate,
    language: app.i18n.language,
    userId: context.auth?.user?.id ?? null,
    user: { username: context.auth?.user?.username, email: context.auth?.user?.email },
    /** @returns the body of the answer; rejects with the error of axios */
    request: async (request: Request): Promise<unknown> => (await api.request({ ...request, skipNotify: true })).data,
    /** Saves the answer as a file; rejects with the error of axios. */
    async download(url: string, params: Record<string, unknown>, file: string): Promise<void> {
      const { data } = await api.request({ url, params, method: 'get', responseType: 'blob', skipNotify: true });
      saveAs(data as Blob, file);
    },
    /** Saves a text as a file. */
    save: (text: string, file: string) => saveAs(new Blob([text], { type: 'text/plain;charset=utf-8' }), file),
    /** Whether the menus of NocoBase show the page with this snippet to the user. The server decides. */
    maySee: (snippet: string): boolean => isShownTo(context.acl?.data?.snippets ?? [], snippet),
    success: (text: string) => void context.message.success(text),
    failure: (text: string) => void context.message.error(text),
    /** Address of an app's pages in the client that shows this page. */
    appUrl: (name: string) => app.getRouteUrl(`/apps/${name}/admin/`),
    /** Address of the pages of this plugin on the Supervisor, in the client that shows this page. */
    supervisorUrl: (publicUrl: string) => new URL(app.getRouteUrl('/admin/settings/app-supervisor'), publicUrl).href,
    /** Absolute address of an action or of another path below the API. */
    apiUrl: (path: string) => app.getApiUrl(path),
    info: async (): Promise<HostInfo> => {
      const info = await context.appInfo;
      return { version: info?.version ?? null, dialect: info?.database?.dialect ?? null };
    },
    onChange(listener: () => void) {
      app.eventBus.addEventListener(`ws:message:${CHANGED}`, listener);
      return () => app.eventBus.removeEventListener(`ws:message:${CHANGED}`, listener);
    },
    socket: {
      connected: () => Boolean(app.ws?.connected),
      subscribe(listener: () => void) {
        app.ws?.on('open', listener);
        app.ws?.on('close', listener);
        return () => {
          app.ws?.off('open', listener);
          app.ws?.off('close', listener);
        };
      },
      /**
       * Called while the server answers: NocoBase gives up after 30 attempts, one a second, and an outage may last
       * longer.
       */
      revive() {
        const { ws } = app;
        if (ws && !ws.connected && Number(ws._reconnectTimes) >= ws.reconnectAttempts) ws.reconnect();
      },
    },
  };
}

export function useHost(): Host {
  const { context } = useFlowEngine();
  return useMemo(() => hostOf(context), [context]);
}

export const useT = (): Translate => useHost().t;

/** Whether NocoBase's WebSocket, through which changes arrive, is connected. */
export function useSocketUp(): boolean {
  const { socket } = useHost();
  return useSyncExternalStore(socket.subscribe, socket.connected);
}
