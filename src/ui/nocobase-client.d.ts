// What the plugin uses of NocoBase's client packages, which are not on the public registry (nocobase/nocobase v2.2.0,
// packages/core/{client,client-v2,flow-engine}/src).

declare module '@nocobase/flow-engine' {
  import type { MessageInstance } from 'antd/es/message/interface';
  import type { ComponentType, ReactNode } from 'react';

  interface RequestConfig {
    url?: string;
    /** Whether an error is shown to the user. */
    skipNotify?: boolean | ((error: { response?: { status: number } }) => boolean);
  }
  export interface HostApi {
    request(config: {
      url: string;
      method?: 'get' | 'post';
      params?: Record<string, unknown>;
      data?: unknown;
      responseType?: 'blob';
      skipNotify?: boolean;
    }): Promise<{ data: unknown }>;
    /** `token`: empty while nobody is signed in. */
    auth: { token?: string | null; setToken(token: string): void; setAuthenticator(name: string): void };
    axios: {
      interceptors: {
        request: { use(onRequest: (config: RequestConfig) => RequestConfig): void };
        response: {
          use(onAnswer: undefined, onError: (error: any) => never): void;
          use(onAnswer: <T extends { config?: { url?: string }; data?: unknown }>(answer: T) => T): void;
        };
      };
    };
  }
  export interface HostSocket {
    connected: boolean;
    /** Consecutive failed attempts; at `reconnectAttempts` the socket stays closed until `reconnect()`. */
    _reconnectTimes?: number;
    reconnectAttempts: number;
    reconnect(): void;
    on(type: 'open' | 'close', listener: () => void): void;
    off(type: 'open' | 'close', listener: () => void): void;
  }
  export interface HostApp {
    name: string;
    eventBus: EventTarget;
    i18n: { language: string };
    ws?: HostSocket;
    getRouteUrl(path: string): string;
    getApiUrl(path?: string): string;
    router: {
      basename: string;
      /** Of react-router. */
      router: { navigate(path: string, options?: { replace?: boolean }): unknown };
    };
    /** Stands around all pages. */
    addProvider(provider: ComponentType<{ children?: ReactNode }>): void;
    apiClient: HostApi;
    pm: { get(name: string): unknown };
    flowEngine: FlowEngine;
    /** Of the modern client alone. */
    entryActionManager?: {
      register(name: string, options: { scope: string; provider: () => EntryActionItem[] }): void;
    };
    setAppsProvider(provider: {
      loadAppList: () => Promise<{ title: string; url: string; target: string; icon: ReactNode }[]>;
    }): void;
  }
  /** What a menu of actions offers. */
  export interface EntryActionItem {
    key: string;
    label: string;
    children?: () => Promise<EntryActionItem[]>;
    createModelOptions?: { use: string; stepParams: Record<string, Record<string, Record<string, unknown>>> };
  }
  /** A class of the host's models, as far as ours extend it. */
  export interface ModelClass {
    new (
      ...args: any[]
    ): {
      context: { flowSettingsEnabled?: boolean };
      defaultProps: object;
      onInit(options: unknown): void;
      onMount?(): void;
      onUnmount?(): void;
      getStepParams(flow: string, step: string): Record<string, unknown> | undefined;
      setProps(props: object): void;
      save(): Promise<unknown>;
      hasActions(): boolean;
      renderContent(): ReactNode;
    };
    define(options: { label: string; hide?: boolean; createModelOptions?: { use: string } }): void;
    registerFlow(flow: {
      key: string;
      on: string;
      steps: Record<string, { handler: (context: { model: unknown }) => void }>;
    }): void;
  }
  export interface FlowEngine {
    context: { t(key: string, options?: Record<string, unknown>): string };
    getModelClass(name: string): ModelClass | undefined;
    getModelClassAsync(name: string): Promise<ModelClass | undefined>;
    registerModels(models: Record<string, ModelClass>): void;
    registerModelLoaders(loaders: Record<string, { extends?: string; loader: () => Promise<ModelClass> }>): void;
  }
  export function observable<T extends object>(value: T): T;
  export interface FlowEngineContext {
    app: HostApp;
    api: HostApi;
    message: MessageInstance;
    /** Of the user's role; a snippet with `!` before it is denied. */
    acl?: { data?: { snippets?: string[] } };
    auth?: { user?: { id?: number; username?: string | null; email?: string | null } };
    appInfo: Promise<{ name?: string; version?: string; database?: { dialect?: string } } | undefined>;
    t(key: string, options?: Record<string, unknown>): string;
  }
  export function useFlowEngine(): { context: FlowEngineContext };
}

/** Both clients include it. Installing it from the registry would add forty packages for two functions. */
declare module '@emotion/css' {
  import type { CSSProperties } from 'react';

  export function css(style: CSSProperties & { [selector: `&${string}`]: CSSProperties }): string;
  export function cx(...classes: (string | false | undefined)[]): string;
}

declare module '@nocobase/client-v2' {
  import type { HostApp } from '@nocobase/flow-engine';
  import type { ComponentType, ReactNode } from 'react';

  export class Plugin {
    protected app: HostApp;
    get router(): {
      add(
        name: string,
        route: {
          path: string;
          componentLoader: () => Promise<{ default: ComponentType }>;
          /** For pages that visitors without a session may see. */
          skipAuthCheck?: boolean;
        },
      ): void;
    };
    get pluginSettingsManager(): {
      addMenuItem(options: { key: string; title: ReactNode; icon?: ReactNode; aclSnippet?: string }): void;
      addPageTabItem(options: {
        menuKey: string;
        key: string;
        title: ReactNode;
        sort?: number;
        aclSnippet?: string;
        componentLoader: () => Promise<{ default: ComponentType }>;
      }): void;
    };
    t(key: string): string;
    afterAdd(): Promise<void>;
    load(): Promise<void>;
  }
  export function registerIcon(type: string, icon: ComponentType): void;
}

declare module '@nocobase/client' {
  import type { HostApp } from '@nocobase/flow-engine';
  import type { ComponentType, ReactNode } from 'react';

  export class Plugin {
    protected app: HostApp;
    get router(): {
      add(name: string, route: { path: string; Component: ComponentType; skipAuthCheck?: boolean }): void;
    };
    get pluginSettingsManager(): {
      add(
        name: string,
        options: {
          title: ReactNode;
          icon?: ReactNode;
          sort?: number;
          aclSnippet?: string;
          componentLoader?: () => Promise<{ default: ComponentType }>;
        },
      ): void;
    };
    t(key: string): string;
    afterAdd(): Promise<void>;
    load(): Promise<void>;
  }
  export function registerIcon(type: string, icon: ComponentType): void;
}
