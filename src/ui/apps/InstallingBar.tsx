import { Progress } from 'antd';
import { Secondary } from '../common/Secondary';
import { useT } from '../host';
import type { Installing } from './installing';

/** How far an installation is. */
export function InstallingBar({ done, total }: Installing) {
  const t = useT();
  const text = t('Installing {{done}}/{{total}}', { done, total });
  return (
    <div style={{ maxWidth: 240 }} data-testid="installing">
      <Secondary>{text}</Secondary>
      <Progress percent={Math.round((100 * done) / total)} size="small" showInfo={false} aria-label={text} />
    </div>
  );
}
