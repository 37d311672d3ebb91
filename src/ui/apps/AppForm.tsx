import { useMemoizedFn } from 'ahooks';
import { Alert, Button, Divider, Drawer, Form, type FormInstance, Space } from 'antd';
import { type ReactNode, useEffect, useState } from 'react';
import { type Blocker, useBlocker } from 'react-router-dom';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, fieldText, type Problem, problemText } from '../common/errors';
import { FIELD_LABELS } from '../common/labels';
import { useIsLocal } from '../common/Page';
import { useFocusReturn } from '../common/useFocusReturn';
import { useHost } from '../host';
import { AdoptButton } from './AdoptButton';
import { AdvancedFields, BasicFields, DisplayFields } from './AppFields';
import type { NewlyCreated } from './CreatedDialog';
import { DatabaseFields } from './DatabaseFields';
import { FailoverFields } from './FailoverFields';
import { type AppValues, bodyOf, newValues, valuesOf } from './form';
import { NewAppFields } from './NewAppFields';
import { SsoFields } from './SsoFields';
import { type AdvancedSection, sectionOf } from './sections';
import { useNewAppPlan } from './useNewAppPlan';
import { VisibilityFields } from './VisibilityFields';

interface Props {
  /** Absent for a new app. */
  app?: AppRow;
  /** Null if the user has no permission to see them. */
  environments: EnvironmentRow[] | null;
  onClose: () => void;
  /** @param created a new app, with the password of its administrator */
  onSaved: (created?: NewlyCreated) => void;
}

const FORM = 'app-form';
type Blocked = Extract<Blocker, { state: 'blocked' }>;

export function AppForm({ app, environments, onClose, onSaved }: Props) {
  useFocusReturn();
  const { t, language } = useHost();
  const confirm = useConfirm();
  const [form] = Form.useForm<AppValues>();
  const [dirty, setDirty] = useState(false);
  const [initial] = useState(() => (app ? valuesOf(app) : { ...newValues(), language }));

  const mayDiscard = async () =>
    !dirty ||
    (await confirm({
      title: t('Discard your changes?'),
      content: t('Your changes have not been saved.'),
      okText: t('Discard'),
      danger: true,
    }));
  const close = async () => {
    if (await mayDiscard()) onClose();
  };
  useQuestionOnLeave(dirty, mayDiscard, onClose);

  const newApp = useNewAppPlan(form, !app);
  const [open, setOpen] = useState<AdvancedSection[]>([]);
  /** Unfolds what has these fields. */
  const reveal = (fields: (string | number)[][]) =>
    setOpen((before) => [...new Set([...before, ...fields.flatMap((field) => sectionOf(field) ?? [])])]);
  const { saving, unplaced, save, adopt } = useSaving({ form, initial, app, onSaved, nameOf: newApp.nameOf, reveal });

  const title = app ? t('Edit "{{app}}"', { app: app.title }) : t('Add app');
  return (
    <Drawer
      open
      // Not earlier, because the drawer takes the focus when it opens; and not if the user has already focused a field.
      afterOpenChange={(isOpen) => {
        if (isOpen && !document.activeElement?.closest(`#${FORM}`)) form.getFieldInstance('title')?.focus();
      }}
      width={640}
      title={title}
      aria-label={title}
      onClose={close}
      footer={
        <Space style={{ float: 'right' }}>
          <Button onClick={close}>{t('Cancel')}</Button>
          <Button type="primary" htmlType="submit" form={FORM} loading={saving} data-testid="app-form-submit">
            {app ? t('Save') : t('Create')}
          </Button>
        </Space>
      }
    >
      <Form
        id={FORM}
        form={form}
        layout="vertical"
        initialValues={initial}
        disabled={saving}
        scrollToFirstError={{ block: 'center' }}
        onValuesChange={() => setDirty(true)}
        onFinish={(entered) => save(entered)}
        onFinishFailed={({ errorFields }) => reveal(errorFields.map(({ name }) => name))}
      >
        <Unplaced problems={unplaced} adopt={adopt} />
        {app ? (
          <Sections app={app} environments={environments} />
        ) : (
          <NewAppFields plan={newApp.plan} adopt={adopt} open={open} setOpen={setOpen} />
        )}
      </Form>
    </Drawer>
  );
}

/** Problems that no field has. */
function Unplaced({ problems, adopt }: { problems: Problem[]; adopt: () => void }) {
  const { t } = useHost();
  return problems.map((problem) => (
    <Alert
      key={problem.message}
      type="error"
      showIcon
      message={problemText(t, problem)}
      style={{ marginBottom: 16 }}
      data-testid="app-form-error"
      action={problem.code === 'DATABASE_ADOPTABLE' && <AdoptButton adopt={adopt} />}
    />
  ));
}

/** Sends what was entered. A problem is shown at its field; `unplaced` are those without one. */
function useSaving({
  form,
  initial,
  app,
  onSaved,
  nameOf,
  reveal,
}: Pick<Props, 'app' | 'onSaved'> & {
  form: FormInstance<AppValues>;
  initial: AppValues;
  nameOf: (entered: AppValues) => string | undefined;
  reveal: (fields: string[][]) => void;
}) {
  const host = useHost();
  const { t } = host;
  const api = useApi();
  const [saving, setSaving] = useState(false);
  const [unplaced, setUnplaced] = useState<Problem[]>([]);

  const save = async (entered: AppValues, how: 'createApp' | 'adoptApp' = 'createApp') => {
    setSaving(true);
    try {
      const body = bodyOf({ ...initial, ...entered, ...(app ? {} : { name: nameOf(entered) ?? '' }) }, app);
      const created = !app && how === 'createApp' ? await api.createApp(body) : undefined;
      if (app) await api.updateApp(app.name, body);
      else if (!created) await api.adoptApp({ ...body, initialAdmin: undefined });
      host.success(app ? t('Saved') : t('"{{app}}" is being created', { app: entered.title }));
      onSaved(created);
    } catch (error) {
      setUnplaced(placeProblems((error as ApiError).problems));
      setSaving(false);
    }
  };

  const adopt = async () => {
    const entered = await form.validateFields().catch(() => null);
    if (entered) await save(entered, 'adoptApp');
  };

  const placeProblems = (problems: Problem[]) =>
    problems.filter((problem) => {
      const name = problem.field?.split('.');
      // What can be done about it is beside the others.
      if (!name || problem.code === 'DATABASE_ADOPTABLE' || !form.getFieldInstance(name as never)) return true;
      const label = FIELD_LABELS[name.join('.')];
      form.setFields([{ name: name as never, errors: [fieldText(t, problem, label ? t(label) : name.join('.'))] }]);
      reveal([name]);
      form.scrollToField(name as never, { block: 'center' });
      return false;
    });

  return { saving, unplaced, save, adopt };
}

/** Of an app that is edited. */
function Sections({ app, environments }: { app: AppRow; environments: EnvironmentRow[] | null }) {
  const { t } = useHost();
  const isLocal = useIsLocal();
  return (
    <>
      <BasicFields app={app} environments={environments} />
      <Section title={t('Database connection')}>
        <DatabaseFields app={app} />
      </Section>
      <Section title={t('Upgrade and domain')}>
        <AdvancedFields app={app} />
      </Section>
      {!isLocal && (
        <Section title={t('Failover')}>
          <FailoverFields />
        </Section>
      )}
      <Section title={t('Display configuration')}>
        <DisplayFields />
        <VisibilityFields />
      </Section>
      <Section title={t('Single sign-on')}>
        <SsoFields />
      </Section>
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <Divider orientation="left" orientationMargin={0}>
        {title}
      </Divider>
      {children}
    </section>
  );
}

/**
 * Asks before the user leaves through the browser's Back button or a link. Reload and close show the browser's own
 * question.
 */
function useQuestionOnLeave(active: boolean, ask: () => Promise<boolean>, leave: () => void) {
  const blocker = useBlocker(active);
  const decide = useMemoizedFn(async ({ proceed, reset }: Blocked) => {
    if (!(await ask())) return reset();
    proceed();
    // The link may lead to another address of the same page, which would keep the form open.
    leave();
  });
  // Depends on the error object, not on the state: React may skip rendering the state after an answer before the next
  // attempt.
  useEffect(() => {
    if (blocker.state === 'blocked') void decide(blocker);
  }, [blocker, decide]);

  useEffect(() => {
    if (!active) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [active]);
}
