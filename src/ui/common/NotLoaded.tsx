import { Button, Card, Result } from 'antd';
import { useT } from '../host';

/** In place of a page whose script did not come: after an upgrade it has another name, or the connection broke. */
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
