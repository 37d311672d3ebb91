import type { Application } from '@nocobase/server';

/**
 * Replaces an app that is stopped or failed, so that the core answers 503 with its state. Without an object of that
 * name the next request, or an open tab's WebSocket, would boot it again (gateway/index.ts:585, ws-server.ts:280), and
 * the stopped `Application` itself would cost 11 MB.
 */
export function createPlaceholderApp(name: string): Application {
  const placeholder = {
    name,
    maintainingMessage: '',
    // Methods that the core calls on every object in the map: ws-server.ts:146, gateway/errors.ts:41,
    // gateway/index.ts:154.
    emit: () => false,
    emitAsync: async () => false,
    getMaintaining: () => null,
    destroy: async () => undefined,
    isPlaceholderApp: true,
  };
  return placeholder as unknown as Application;
}

export const isPlaceholderApp = (app: object | undefined): boolean =>
  (app as { isPlaceholderApp?: boolean } | undefined)?.isPlaceholderApp === true;
