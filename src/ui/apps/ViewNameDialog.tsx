import { Form, Input, type InputRef } from 'antd';
import { useRef, useState } from 'react';
import type { ViewRow } from '../../shared/view';
import { useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { type ApiError, fieldText } from '../common/errors';
import { useHost } from '../host';

interface NameProps {
  /** The view that gets another name; absent for a new one. */
  view?: ViewRow;
  /** What a new view keeps. */
  address: string;
  onClose: () => void;
  onSaved: (view: ViewRow) => Promise<void>;
}

/** Asks for the name of a view, and saves it. */
export function ViewNameDialog({ view, address, onClose, onSaved }: NameProps) {
  const { t } = useHost();
  const api = useApi();
  const [form] = Form.useForm<{ name: string }>();
  const input = useRef<InputRef>(null);
  const [busy, setBusy] = useState(false);

  const save = async ({ name }: { name: string }) => {
    setBusy(true);
    try {
      await onSaved(await (view ? api.updateView(view.id, { name }) : api.createView({ name, address })));
      onClose();
    } catch (thrown) {
      form.setFields([{ name: 'name', errors: [fieldText(t, (thrown as ApiError).problems[0], t('Name'))] }]);
      setBusy(false);
    }
  };

  return (
    <Dialog
      width={420}
      title={view ? t('Rename the view "{{view}}"', { view: view.name }) : t('Save as a new view')}
      okText={t('Save')}
      okButtonProps={{ id: 'save-view' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      afterOpenChange={(isOpen) => {
        if (isOpen) input.current?.focus({ cursor: 'all' });
      }}
      onOk={form.submit}
      onCancel={onClose}
    >
      <Form form={form} layout="vertical" initialValues={{ name: view?.name ?? '' }} onFinish={save}>
        <Form.Item
          name="name"
          label={t('Name')}
          extra={
            view ? undefined : t('Keeps the filters, the order and the columns that you see. Only you see your views.')
          }
          rules={[{ required: true, whitespace: true, message: t('Enter a name') }]}
        >
          <Input ref={input} maxLength={50} autoComplete="off" data-testid="view-name" />
        </Form.Item>
      </Form>
    </Dialog>
  );
}
