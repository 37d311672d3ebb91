import { type ReactNode, useState } from 'react';
import { useHost } from '../host';
import { useApi } from './api';
import { useConfirm } from './Confirm';
import { type ApiError, problemText } from './errors';
import { type SignIn, SignInDialog } from './SignInDialog';
import { key } from './text';

/** An app, or the main app of an environment's Worker. */
export type Account = { kind: 'app'; name: string; title: string } | { kind: 'environment'; name: string; url: string };

const QUESTION = {
  app: key('Give the administrator of "{{name}}" a new password?'),
  environment: key('Give the administrator of the main app of environment "{{name}}" a new password?'),
};

/**
 * Gives an administrator a new password, after a question, and shows it.
 * @returns a function that asks, and the dialog to render
 */
export function useResetAdmin(onDone: () => void): { reset: (account: Account) => Promise<void>; dialog: ReactNode } {
  const host = useHost();
  const { t } = host;
  const api = useApi();
  const confirm = useConfirm();
  const [shown, setShown] = useState<SignIn>();

  const reset = async (account: Account) => {
    const title = account.kind === 'app' ? account.title : account.name;
    const agreed = await confirm({
      title: t(QUESTION[account.kind], { name: title }),
      content: t('The current password stops working, and everybody who is signed in with this account is signed out.'),
      okText: t('New password'),
      danger: true,
    });
    if (!agreed) return;
    try {
      const { unconfirmed, ...administrator } = await api.resetAdmin(account.kind, account.name);
      const url = account.kind === 'app' ? host.appUrl(account.name) : account.url;
      setShown({ title, url, administrator, unconfirmed });
    } catch (error) {
      host.failure(problemText(t, (error as ApiError).problems[0]));
    }
    onDone();
  };
  return { reset, dialog: shown && <SignInDialog signIn={shown} onClose={() => setShown(undefined)} /> };
}
