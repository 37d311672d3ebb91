import { theme } from 'antd';
import { type ReactNode, useEffect, useState } from 'react';
import { useLocation } from 'react-router-dom';
import { AppAvatar } from '../common/AppAvatar';
import { useHost } from '../host';
import { appAskedAt } from './start';

interface Aim {
  name: string;
  title: string;
  icon: string | null;
}

/** Says above the sign-in of the main app which app it leads to. */
export function SignInAim({ children }: { children?: ReactNode }) {
  const { pathname, search } = useLocation();
  const asked = appAskedAt(pathname, search);
  return (
    <>
      {children}
      {asked && <AimOf key={asked} app={asked} />}
    </>
  );
}

function AimOf({ app }: { app: string }) {
  const { request, t } = useHost();
  const { token } = theme.useToken();
  const [aim, setAim] = useState<Aim>();
  useEffect(() => {
    // Without it the sign-in goes on, and says nothing.
    request({ url: 'appSso:about', method: 'get', params: { app } }).then(
      (answer) => setAim((answer as { data?: Aim }).data ?? undefined),
      () => undefined,
    );
  }, [app, request]);
  if (!aim) return null;
  return (
    <div
      role="status"
      data-testid="sign-in-aim"
      style={{
        position: 'fixed',
        insetInline: 0,
        top: 'min(24px, 4vh)',
        display: 'flex',
        justifyContent: 'center',
        alignItems: 'center',
        gap: 12,
        paddingInline: 16,
        fontSize: token.fontSizeLG,
        color: token.colorText,
        overflowWrap: 'anywhere',
        pointerEvents: 'none',
      }}
    >
      <AppAvatar app={aim} />
      {t('Sign in to open {{app}}', { app: aim.title })}
    </div>
  );
}
