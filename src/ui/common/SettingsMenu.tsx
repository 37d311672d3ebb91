import { MenuOutlined } from '@ant-design/icons';
import { Button, Grid } from 'antd';
import { useState } from 'react';
import { useT } from '../host';

const MARK = 'app-supervisor-settings';

/**
 * On a phone, NocoBase's menu of settings is hidden until it is asked for: neither client folds it, and beside it a page
 * has half of the screen.
 */
const HIDES_MENU = `@media (max-width: 767.98px) {
  .ant-layout-has-sider:has(> main .${MARK}) > .ant-layout-sider { display: none }
}`;

/** Stands on each of our pages. Shows a button on a phone, and nothing elsewhere. */
export function SettingsMenu() {
  const t = useT();
  // Before the first measurement there is room, as for the list of apps.
  const { md: isWide = true } = Grid.useBreakpoint();
  const [isShown, show] = useState(false);
  return (
    <div className={MARK}>
      {!isShown && <style>{HIDES_MENU}</style>}
      {!isWide && (
        <Button
          size="small"
          icon={<MenuOutlined />}
          style={{ marginBottom: 16 }}
          aria-expanded={isShown}
          onClick={() => show(!isShown)}
          data-testid="settings-menu"
        >
          {t('All settings')}
        </Button>
      )}
    </div>
  );
}
