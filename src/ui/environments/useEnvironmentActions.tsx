import { useState } from 'react';
import type { EnvironmentRow } from '../../shared/types';
import { type EnvironmentAction, useApi } from '../common/api';
import { type ApiError, problemText } from '../common/errors';
import { MoveDialog } from '../common/MoveDialog';
import { useResetAdmin } from '../common/useResetAdmin';
import { useHost, useT } from '../host';
import type { Act } from './columns';
import { DrainDialog } from './DrainDialog';
import { ForgetDialog } from './ForgetDialog';
import { UncordonDialog } from './UncordonDialog';

/** What is asked about, in a dialog. */
interface Asked {
  action: Exclude<EnvironmentAction, 'cordon'> | 'move';
  environment: EnvironmentRow;
}

/** What can be done with an environment, and the dialogs that ask about it. @param onForgotten default: `refresh` */
export function useEnvironmentActions(refresh: () => void, onForgotten = refresh) {
  const { t, failure } = useHost();
  const api = useApi();
  const { reset, dialog } = useResetAdmin(refresh);
  const [asked, setAsked] = useState<Asked>();
  const at = async (work: Promise<unknown>) => {
    await work.catch((thrown: ApiError) => failure(problemText(t, thrown.problems[0])));
    refresh();
  };
  const act: Act = (action, environment) => {
    const { name, url, away } = environment;
    if (action === 'resetAdmin') void reset({ kind: 'environment', name, url });
    // Both are harmless and easy to undo.
    else if (action === 'cordon') void at(api.cordon(name));
    else if (action === 'uncordon' && !away.length) void at(api.uncordon(name, false));
    else setAsked({ action, environment });
  };
  const onDone = () => {
    setAsked(undefined);
    if (asked?.action === 'forget') onForgotten();
    else refresh();
  };
  const dialogs = (
    <>
      <Dialogs asked={asked} onClose={() => setAsked(undefined)} onDone={onDone} />
      {dialog}
    </>
  );
  return { act, dialogs };
}

const DIALOGS = { drain: DrainDialog, forget: ForgetDialog };

function Dialogs({ asked, onClose, onDone }: { asked: Asked | undefined; onClose: () => void; onDone: () => void }) {
  const t = useT();
  if (!asked) return null;
  const { action, environment } = asked;
  const { name } = environment;
  if (action === 'uncordon') return <UncordonDialog environment={environment} onClose={onClose} onDone={onDone} />;
  if (action !== 'move') {
    const Dialog = DIALOGS[action];
    return <Dialog environment={name} onClose={onClose} onDone={onDone} />;
  }
  const title = t('Move all apps of environment "{{environment}}"?', { environment: name });
  return <MoveDialog subject={{ environment: name }} title={title} onClose={onClose} onDone={onDone} />;
}
