import { QuestionCircleOutlined } from '@ant-design/icons';
import { css } from '@emotion/css';
import { Button, Modal, Tooltip } from 'antd';
import { useT } from '../host';
import { asksForHelp } from './keys';
import { key } from './text';
import { useFocusReturn } from './useFocusReturn';
import { useOpenByKey } from './useKeys';

/** Keys, which have the same names in every language, and what they do. */
const KEYS: Array<[keys: string, does: string]> = [
  ['Ctrl K', key('Go to an app or an environment, from every page')],
  ['Tab', key('To the next field or the next row of a list: each row is one stop')],
  ['← →', key('Inside a row: to the next button or link')],
  ['↑ ↓', key('In a list: to the same place in another row')],
  ['Home End', key('To the first or the last button of a row')],
  ['F6', key('Between the list and the bar for the selected apps')],
  ['Enter Space', key('Press a button, tick a box')],
  ['Esc', key('Close a menu or a dialog')],
  ['?', key('Show this help')],
];

/** What the keyboard does on these pages, by a button or by `?`. */
export function KeyboardHelp() {
  const t = useT();
  const [isOpen, setOpen] = useOpenByKey(asksForHelp);
  const label = t('Keyboard');
  return (
    <>
      <Tooltip title={label}>
        <Button
          size="small"
          icon={<QuestionCircleOutlined />}
          aria-label={label}
          aria-keyshortcuts="?"
          onClick={() => setOpen(true)}
          data-testid="keyboard-help"
        />
      </Tooltip>
      {isOpen && <Help close={() => setOpen(false)} />}
    </>
  );
}

function Help({ close }: { close: () => void }) {
  const t = useT();
  useFocusReturn();
  return (
    <Modal open title={t('Keyboard')} footer={null} onCancel={close} width={520}>
      <dl className={LIST} data-testid="keyboard-keys">
        {KEYS.map(([keys, does]) => (
          <div key={keys} className={LINE}>
            <dt className={TERM}>
              {keys.split(' ').map((one) => (
                <kbd key={one} className={KEY}>
                  {one}
                </kbd>
              ))}
            </dt>
            <dd style={{ margin: 0 }}>{t(does)}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}

const LIST = css({ display: 'flex', flexDirection: 'column', gap: 8, margin: 0 });
const LINE = css({ display: 'flex', gap: 16 });
const TERM = css({ flex: '0 0 112px', display: 'flex', flexWrap: 'wrap', alignItems: 'flex-start', gap: 4 });
const KEY = css({
  minWidth: 24,
  padding: '0 6px',
  border: '1px solid',
  borderRadius: 4,
  fontFamily: 'inherit',
  fontSize: 'smaller',
  textAlign: 'center',
});
