import { Form, Input, InputNumber, Radio } from 'antd';
import { useEffect, useState } from 'react';
import { hasSchemas, SERVER_DIALECTS } from '../../shared/dialects';
import { SCHEMA_NAME, SQL_IDENTIFIER } from '../../shared/names';
import type { AppOptions, AppRow, DbConnType } from '../../shared/types';
import { FormSelect } from '../common/FormSelect';
import { DATABASE_LABELS } from '../common/labels';
import { key } from '../common/text';
import { useHost, useT } from '../host';
import { DatabaseCheckButton } from './DatabaseCheckButton';
import { DATABASE_PARTS, isFixed, needsPassword } from './form';

type Part = keyof NonNullable<AppOptions['database']>;

const PART_LABELS: Record<Part, string> = {
  dialect: key('Dialect'),
  host: key('Host'),
  port: key('Port'),
  username: key('User name'),
  password: key('Password'),
  database: key('Database name'),
  schema: key('Schema'),
  tablePrefix: key('Table prefix'),
};

/** The database of the app. The settings that identify it cannot be changed later. */
export function DatabaseFields({
  app,
  adopt,
  environment = null,
}: {
  app?: AppRow;
  /** Of a new app. */
  adopt?: () => void;
  /** Where a new app would be; null: nobody knows. */
  environment?: string | null;
}) {
  const t = useT();
  const isNew = !app;
  const kinds = useKinds();
  const form = Form.useFormInstance();
  const kind: DbConnType =
    Form.useWatch(['options', 'dbConnType']) ?? form.getFieldValue(['options', 'dbConnType']) ?? 'new_database';
  const dialect: string | undefined = Form.useWatch(['options', 'database', 'dialect']);
  const parts = DATABASE_PARTS[kind].filter(
    (part) => part !== 'schema' || kind === 'new_schema' || !dialect || hasSchemas(dialect),
  );
  return (
    <>
      <Form.Item
        name={['options', 'dbConnType']}
        extra={isNew ? undefined : t('The database was selected when the app was created and cannot be changed.')}
      >
        <Radio.Group
          disabled={!isNew}
          options={kinds.map((value) => ({ value, label: t(DATABASE_LABELS[value]) }))}
          aria-label={t('Database connection')}
        />
      </Form.Item>
      {parts.map((part) =>
        part === 'password' && app ? (
          <StoredPasswordField key={part} was={app.options.database} />
        ) : (
          <DatabaseField key={part} part={part} kind={kind} isNew={isNew} />
        ),
      )}
      {adopt && <DatabaseCheckButton adopt={adopt} environment={environment} parts={parts} />}
    </>
  );
}

function DatabaseField({ part, kind, isNew }: { part: Part; kind: DbConnType; isNew: boolean }) {
  const t = useT();
  const disabled = !isNew && isFixed(part);
  const required = kind === 'new_connection' && isNew && ['dialect', 'host', 'username', 'database'].includes(part);
  const rule = NAME_RULES[part];
  // A user who enters a separate server also names the database on it.
  const whenEmpty =
    kind === 'new_connection' ? key('The server’s default when empty') : key('Named after the app when empty');
  return (
    <Form.Item
      name={['options', 'database', part]}
      label={t(PART_LABELS[part])}
      rules={[
        ...(required ? [{ required, message: t('Required') }] : []),
        ...(rule && isNew ? [{ pattern: rule.pattern, message: t(rule.message) }] : []),
      ]}
    >
      {part === 'dialect' ? (
        <FormSelect disabled={disabled} options={SERVER_DIALECTS.map((value) => ({ value, label: value }))} />
      ) : part === 'port' ? (
        <InputNumber min={1} max={65535} style={{ width: '100%' }} />
      ) : part === 'password' ? (
        <Input.Password autoComplete="new-password" />
      ) : (
        <Input
          disabled={disabled}
          autoComplete="off"
          placeholder={rule?.isOptional && !required ? t(whenEmpty) : undefined}
        />
      )}
    </Form.Item>
  );
}

const DATABASE = ['options', 'database'];

/** Unchanged when empty, unless the connection changes in a way for which the server requires the password. */
function StoredPasswordField({ was }: { was: AppOptions['database'] }) {
  const t = useT();
  const isNeeded = needsPassword(was, Form.useWatch(DATABASE));
  return (
    <Form.Item
      name={[...DATABASE, 'password']}
      label={t(PART_LABELS.password)}
      dependencies={['host', 'port', 'username'].map((part) => [...DATABASE, part])}
      rules={[
        ({ getFieldValue }) => ({
          required: needsPassword(was, getFieldValue(DATABASE)),
          message: t('Required'),
        }),
      ]}
      extra={
        isNeeded &&
        t(
          'The stored password is used only for the host, port and user it was entered for. Enter the password for the new connection.',
        )
      }
    >
      <Input.Password autoComplete="new-password" placeholder={isNeeded ? undefined : t('Unchanged when empty')} />
    </Form.Item>
  );
}

const NAME_RULES: Partial<Record<Part, { pattern: RegExp; message: string; isOptional?: boolean }>> = {
  database: {
    pattern: SQL_IDENTIFIER,
    message: key('Start with a letter; use letters, digits, "_" and "-"; at most 63 characters'),
    isOptional: true,
  },
  schema: {
    pattern: SCHEMA_NAME,
    message: key('Start with a lowercase letter; use lowercase letters, digits and "_"; at most 63 characters'),
    isOptional: true,
  },
  tablePrefix: {
    pattern: /^[A-Za-z][A-Za-z0-9_]{0,19}$/,
    message: key('Start with a letter; use letters, digits and "_"; at most 20 characters'),
  },
};

/** A separate schema needs a database that supports schemas. */
function useKinds(): DbConnType[] {
  const host = useHost();
  const [dialect, setDialect] = useState<string | null>(null);
  useEffect(() => {
    let isMounted = true;
    host.info().then(
      (info) => isMounted && setDialect(info.dialect),
      () => {},
    );
    return () => {
      isMounted = false;
    };
  }, [host]);
  return dialect && !hasSchemas(dialect)
    ? ['new_database', 'new_connection']
    : ['new_database', 'new_connection', 'new_schema'];
}
