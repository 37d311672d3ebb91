import { useDebounce, useRequest } from 'ahooks';
import { Form, type FormInstance } from 'antd';
import { useEffect, useRef, useState } from 'react';
import type { NewAppPlan } from '../../shared/move';
import { useApi } from '../common/api';
import type { AppValues } from './form';

/** How long nothing is typed before the server is asked for an identifier, in ms. */
const REST = 250;

export interface NewApp {
  /** Undefined while it is not known yet. */
  plan: NewAppPlan | undefined;
  /** The identifier to ask for; undefined: the server makes one of the title that was entered. */
  nameOf(entered: AppValues): string | undefined;
}

/** What the server would choose for a new app. Its identifier follows the title in the form, until somebody enters one. */
export function useNewAppPlan(form: FormInstance<AppValues>, isNew: boolean): NewApp {
  const api = useApi();
  const [seed] = useState(() => Date.now().toString(36));
  const title = useDebounce(Form.useWatch('title', { form, preserve: true }) ?? '', { wait: REST });
  const { data: plan } = useRequest(async () => ({ ...(await api.previewCreate(title, seed)), title }), {
    ready: isNew,
    refreshDeps: [title],
  });
  const shown = useRef<string>();
  useEffect(() => {
    const name: string | undefined = form.getFieldValue('name');
    // What somebody enters or has entered stays, unless it was taken away again.
    if (!plan || document.activeElement?.id === 'name' || (name && name !== shown.current)) return;
    shown.current = plan.title.trim() ? plan.name : undefined;
    form.setFields([{ name: 'name', value: shown.current, errors: [] }]);
  }, [plan, form]);
  return {
    plan,
    nameOf: ({ name, title: entered }) => (name === shown.current && entered !== plan?.title ? undefined : name),
  };
}
