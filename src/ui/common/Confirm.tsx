import { Modal } from 'antd';
import { createContext, type ReactNode, useCallback, useContext, useState } from 'react';
import { useT } from '../host';

interface Question {
  title: string;
  content: ReactNode;
  okText: string;
  danger?: boolean;
}
type Ask = (question: Question) => Promise<boolean>;

const Confirm = createContext<Ask>(async () => false);

/** Asks the user for confirmation; resolves to true if the user confirms. */
export const useConfirm = (): Ask => useContext(Confirm);

/** A dialog with an accessible name, which antd's `modal.confirm` lacks. */
export function ConfirmProvider({ children }: { children: ReactNode }) {
  const t = useT();
  const [asked, setAsked] = useState<{ question: Question; answer: (agreed: boolean) => void }>();
  const [open, setOpen] = useState(false);
  const ask = useCallback<Ask>(
    (question) =>
      new Promise((answer) => {
        setAsked({ question, answer });
        setOpen(true);
      }),
    [],
  );
  const close = (agreed: boolean) => {
    asked?.answer(agreed);
    setOpen(false);
  };
  return (
    <Confirm.Provider value={ask}>
      {children}
      <Modal
        open={open}
        // Created again each time, so that it is above drawers that have opened since.
        destroyOnClose
        width={480}
        title={asked?.question.title}
        okText={asked?.question.okText}
        okButtonProps={{ danger: asked?.question.danger, id: 'confirm-ok' }}
        cancelText={t('Cancel')}
        onOk={() => close(true)}
        onCancel={() => close(false)}
      >
        {asked?.question.content}
      </Modal>
    </Confirm.Provider>
  );
}
