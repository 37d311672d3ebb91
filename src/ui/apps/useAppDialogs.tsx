import { useMemoizedFn } from 'ahooks';
import { type ReactNode, useState } from 'react';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import type { OperateAction } from '../common/api';
import { MoveDialog } from '../common/MoveDialog';
import { useResetAdmin } from '../common/useResetAdmin';
import { type Translate, useT } from '../host';
import { AppForm } from './AppForm';
import { ConfigureDialog } from './ConfigureDialog';
import { CreatedDialog, type NewlyCreated } from './CreatedDialog';
import { DeleteDialog } from './DeleteDialog';
import { LabelDialog } from './LabelDialog';
import { moveLabel } from './labels';
import { useAppActions } from './useAppActions';
import { useSecondAttempt } from './useSecondAttempt';

export type AppHandler = (
  action: OperateAction | 'edit' | 'move' | 'destroy' | 'resetAdmin' | 'retry' | 'adopt',
  app: AppRow,
) => void;

type Done = 'moved' | 'deleted' | 'labelled' | 'configured';

interface Options {
  environments: EnvironmentRow[] | null;
  /** Whether the form for a new app is open from the beginning. */
  adds?: boolean;
  /** Loads again what is shown. */
  refresh: () => void;
  /** After a move, a deletion or a change of labels was accepted. */
  onDone: (what: Done) => void;
}

/** The actions of apps with their questions and dialogs; `dialogs` has to be rendered. */
export function useAppDialogs({ environments, adds = false, refresh, onDone }: Options) {
  const t = useT();
  const [editing, edit] = useState<AppRow | 'new' | undefined>(adds ? 'new' : undefined);
  const [created, setCreated] = useState<NewlyCreated>();
  const [moving, move] = useState<AppRow[]>();
  const [deleting, destroy] = useState<AppRow[]>();
  const [labelling, label] = useState<AppRow[]>();
  const [configuring, configure] = useState<AppRow[]>();
  const operate = useAppActions(environments, refresh);
  const { reset, dialog } = useResetAdmin(refresh);

  const { retry, adopt } = useSecondAttempt(operate, refresh);

  /** Actions for one app. */
  const handle: AppHandler = useMemoizedFn((action, app) => {
    if (action === 'edit') edit(app);
    else if (action === 'retry') void retry(app);
    else if (action === 'adopt') void adopt(app);
    else if (action === 'move') move([app]);
    else if (action === 'destroy') destroy([app]);
    else if (action === 'resetAdmin') void reset({ kind: 'app', name: app.name, title: app.title });
    else void operate(action, [app]);
  });

  const done = (what: Done) => {
    label(undefined);
    configure(undefined);
    move(undefined);
    destroy(undefined);
    onDone(what);
  };
  const dialogs: ReactNode = (
    <>
      {editing && (
        <AppForm
          app={editing === 'new' ? undefined : editing}
          environments={environments}
          onClose={() => edit(undefined)}
          onSaved={(app) => {
            edit(undefined);
            setCreated(app);
            refresh();
          }}
        />
      )}
      {created?.initialAdmin && <CreatedDialog created={created} onClose={() => setCreated(undefined)} />}
      {moving && (
        <MoveDialog
          subject={{ apps: moving.map(({ name }) => name) }}
          title={moveTitle(t, moving)}
          okText={moving.length === 1 ? t(moveLabel(moving[0])) : undefined}
          onClose={() => move(undefined)}
          onDone={() => done('moved')}
        />
      )}
      {labelling && <LabelDialog apps={labelling} onClose={() => label(undefined)} onDone={() => done('labelled')} />}
      {configuring && (
        <ConfigureDialog apps={configuring} onClose={() => configure(undefined)} onDone={() => done('configured')} />
      )}
      {deleting && <DeleteDialog apps={deleting} onClose={() => destroy(undefined)} onDone={() => done('deleted')} />}
      {dialog}
    </>
  );
  return { handle, operate, edit, move, label, configure, destroy, dialogs };
}

function moveTitle(t: Translate, apps: AppRow[]): string {
  const [{ title, environments }] = apps;
  if (apps.length > 1) return t('Move {{count}} apps?', { count: apps.length });
  return environments.length
    ? t('Move "{{app}}"?', { app: title })
    : t('Assign "{{app}}" to an environment?', { app: title });
}
