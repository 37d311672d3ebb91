import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, problemText } from '../common/errors';
import { useHost } from '../host';
import { isRetryable } from './actions';
import type { useAppActions } from './useAppActions';

/**
 * What can be done about an app that failed.
 * @param refresh loads again what is shown
 */
export function useSecondAttempt(operate: ReturnType<typeof useAppActions>, refresh: () => void) {
  const { t, failure } = useHost();
  const api = useApi();
  const confirm = useConfirm();

  /** The newest operation of the app once more, if it has failed; otherwise a restart, after a question. */
  const retry = async (app: AppRow) => {
    try {
      const [newest] = await api.listOperations(app.name, 1);
      // Nobody means what was cancelled: it can be tried again among the operations.
      if (newest && isRetryable(newest) && newest.state !== 'cancelled') await api.onOperation('retry', newest.id);
      else return void (await operate(app.desiredState === 'stopped' ? 'start' : 'restart', [app]));
    } catch (error) {
      failure(problemText(t, (error as ApiError).problems[0]));
    }
    refresh();
  };

  const adopt = async (app: AppRow) => {
    const agreed = await confirm({
      title: t('Adopt the database of "{{app}}"?', { app: app.title }),
      content: t('The app takes over the NocoBase app that is in it, with its data and its users.'),
      okText: t('Adopt'),
    });
    if (!agreed) return;
    try {
      await api.adoptInstead(app.name);
    } catch (error) {
      failure(problemText(t, (error as ApiError).problems[0]));
    }
    refresh();
  };

  return { retry, adopt };
}
