import { Button, Card, Result } from 'antd';
import { useT } from '../host';

/** Shown instead of a page whose script failed to load: an upgrade renamed the script, or the connection failed. */
export function NotLoaded() {
  const t = useT();
  return (
    <Card>
      <Result
        status="warning"
        title={t('This page could not be loaded')}
        extra={<Button onClick={() => window.location.reload()}>{t('Reload')}</Button>}
      />
    </Card>
  );
}
