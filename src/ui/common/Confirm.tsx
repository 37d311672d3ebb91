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

/** Asks the user; true when agreed to. */
export const useConfirm = (): Ask => useContext(Confirm);

/** A dialog that screen readers can name, which those of antd's `modal.confirm` are not. */
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
        // Made anew each time, it lies above the drawers that have opened since the last one.
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
