import { LoginOutlined } from '@ant-design/icons';
import { useFlowEngine } from '@nocobase/flow-engine';
import { Button } from 'antd';
import { useT } from '../host';
import { startSso } from './start';

/** On the sign-in page of an app. */
export default function SsoButton() {
  const t = useT();
  const { app } = useFlowEngine().context;
  return (
    <Button block icon={<LoginOutlined />} onClick={() => startSso(app)} data-testid="sso-button">
      {t('Sign in with the main app')}
    </Button>
  );
}
