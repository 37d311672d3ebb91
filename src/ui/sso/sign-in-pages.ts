import type { HostApp } from '@nocobase/flow-engine';
import type { ComponentType } from 'react';

/** NocoBase's plugin for sign-in pages; the two clients take a component in two ways. */
interface SignInPages {
  registerType(
    type: string,
    options: {
      components?: { SignInButton: ComponentType };
      signInButtonLoader?: () => Promise<{ default: ComponentType }>;
    },
  ): void;
}

/** Undefined if this NocoBase has none. */
export const signInPages = (app: HostApp): SignInPages | undefined =>
  (app.pm.get('auth') ?? app.pm.get('@nocobase/plugin-auth')) as SignInPages | undefined;
