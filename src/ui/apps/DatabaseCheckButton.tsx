import { Alert, Form, Space } from 'antd';
import { useState } from 'react';
import { LOCAL_ENVIRONMENT } from '../../shared/names';
import { ActionButton } from '../common/ActionButton';
import { type DatabaseCheck, useApi } from '../common/api';
import { type ApiError, messageText, problemText } from '../common/errors';
import { useIsLocal } from '../common/Page';
import { key } from '../common/text';
import { useT } from '../host';
import { AdoptButton } from './AdoptButton';
import { type AppValues, databaseOf } from './form';

const VERDICTS: Record<DatabaseCheck['verdict'], { text: string; type: 'success' | 'warning' | 'error' }> = {
  free: { text: key('The database is usable.'), type: 'success' },
  adoptable: { text: key('The database already contains a NocoBase app, which you can adopt.'), type: 'warning' },
  taken: { text: key('The database is in use. Choose another name.'), type: 'error' },
  unusable: { text: key('The database is not usable.'), type: 'error' },
};

/**
 * Tests the entered connection from the selected environment. An existing NocoBase app in the database may be adopted.
 */
export function DatabaseCheckButton({
  adopt,
  environment: chosen,
  parts,
}: {
  adopt: () => void;
  environment: string | null;
  /** The fields of the connection. */
  parts: string[];
}) {
  const t = useT();
  const api = useApi();
  const isLocal = useIsLocal();
  const form = Form.useFormInstance<AppValues>();
  const environment = isLocal ? LOCAL_ENVIRONMENT : chosen;
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<DatabaseCheck>();
  const [error, setError] = useState<ApiError>();

  const check = async () => {
    const fields = parts.map((part) => ['options', 'database', part]);
    if (environment === null || !(await form.validateFields(fields).catch(() => null))) return;
    const options = form.getFieldValue('options') as AppValues['options'];
    setBusy(true);
    setResult(undefined);
    setError(undefined);
    try {
      const { dbConnType = 'new_database' } = options;
      const name = form.getFieldValue('name')?.trim() || undefined;
      setResult(await api.checkDatabase({ environment, name, dbConnType, database: databaseOf(options, true) }));
    } catch (thrown) {
      setError(thrown as ApiError);
    }
    setBusy(false);
  };

  return (
    <Space direction="vertical" style={{ width: '100%' }}>
      <ActionButton
        onClick={check}
        loading={busy}
        refused={environment ? null : { text: key('Select an environment first.') }}
        data-testid="database-check"
      >
        {environment && !isLocal ? t('Check from {{environment}}', { environment }) : t('Check')}
      </ActionButton>
      {error && <Alert type="error" showIcon message={problemText(t, error.problems[0])} />}
      {result && <CheckResult result={result} adopt={adopt} />}
    </Space>
  );
}

function CheckResult({ result, adopt }: { result: DatabaseCheck; adopt: () => void }) {
  const t = useT();
  const { text, type } = VERDICTS[result.verdict];
  return (
    <Alert
      type={type}
      showIcon
      message={t(text)}
      data-testid="database-verdict"
      action={result.verdict === 'adoptable' && <AdoptButton adopt={adopt} />}
      description={result.checks
        .filter(({ ok }) => !ok)
        .map(({ name, message, remedy }) => (
          <div key={name}>
            {messageText(t, message)} {remedy && messageText(t, remedy)}
          </div>
        ))}
    />
  );
}
