import { Flex, Modal } from 'antd';
import { createContext, type ReactNode, useCallback, useContext, useState } from 'react';
import { useHost } from '../host';
import { Secondary } from './Secondary';
import { StateIcon } from './Tag';

/** What an action for several apps did. */
interface Done {
  /** What was done, with how many. */
  title: string;
  refused: Array<{
    /** Identifier. */
    name: string;
    title?: string;
    reason: string;
  }>;
}
type Tell = (done: Done) => void;

const Report = createContext<Tell>(() => {});

/** Says what an action for several apps did: briefly if nothing was refused, otherwise in a dialog that stays. */
export const useReport = (): Tell => useContext(Report);

export function ReportProvider({ children }: { children: ReactNode }) {
  const { t, success } = useHost();
  const [done, setDone] = useState<Done>();
  const [open, setOpen] = useState(false);
  const tell = useCallback<Tell>(
    (next) => {
      if (!next.refused.length) return success(next.title);
      setDone(next);
      setOpen(true);
    },
    [success],
  );
  const close = () => setOpen(false);
  return (
    <Report.Provider value={tell}>
      {children}
      <Modal
        open={open}
        destroyOnClose
        title={done?.title}
        okText={t('Close')}
        okButtonProps={{ id: 'report-close' }}
        cancelButtonProps={{ style: { display: 'none' } }}
        onOk={close}
        onCancel={close}
      >
        <Flex vertical gap="small" data-testid="report">
          <span>{t('Refused: {{count}}', { count: done?.refused.length ?? 0 })}</span>
          <Flex vertical gap={4} style={{ maxHeight: 320, overflowY: 'auto' }} role="list">
            {done?.refused.map((each) => (
              <Flex key={each.name} gap={8} align="baseline" role="listitem" data-testid={`refused-${each.name}`}>
                <StateIcon tone="bad" />
                <span style={{ overflowWrap: 'anywhere' }}>
                  {each.title ?? each.name} <Secondary>{each.reason}</Secondary>
                </span>
              </Flex>
            ))}
          </Flex>
        </Flex>
      </Modal>
    </Report.Provider>
  );
}
