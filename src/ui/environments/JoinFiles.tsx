import { Alert, Flex, Radio, Typography } from 'antd';
import { useState } from 'react';
import { JOIN_FORMATS, type JoinAnswer, type JoinFormat, type JoinStep } from '../../shared/join';
import { messageText } from '../common/errors';
import { key } from '../common/text';
import { useT } from '../host';

const FORMATS: Record<JoinFormat, string> = {
  compose: 'Docker Compose',
  docker: 'docker run',
  kubernetes: 'Kubernetes',
  shell: 'Shell',
};

const STEPS: Record<JoinStep['kind'], string> = {
  database: key('First: an administrator of the database server runs this once'),
  redis: key('First: an administrator of Redis runs this once'),
};

/** The texts with which the Worker is started, each to be copied. */
export function JoinFiles({ join: { files, steps, warnings } }: { join: JoinAnswer }) {
  const t = useT();
  const [format, setFormat] = useState<JoinFormat>('compose');
  // Kubernetes' own Secrets have the keys and passwords.
  const needed = format === 'kubernetes' ? [] : steps;
  return (
    <Flex vertical gap="middle">
      {warnings.map((warning) => (
        <Alert key={messageText(t, warning)} type="warning" showIcon message={messageText(t, warning)} />
      ))}
      <Radio.Group
        optionType="button"
        value={format}
        onChange={({ target }) => setFormat(target.value)}
        options={JOIN_FORMATS.map((value) => ({ value, label: FORMATS[value] }))}
        aria-label={t('How the worker is started')}
      />
      {needed.map(({ kind, commands }) => (
        <Text key={kind} title={t(STEPS[kind])} text={commands} testId={`join-step-${kind}`} />
      ))}
      <Text
        title={needed.length ? t('Then: start the worker') : t('Start the worker')}
        text={files[format]}
        testId="environment-snippet"
      />
    </Flex>
  );
}

function Text({ title, text, testId }: { title: string; text: string; testId: string }) {
  const t = useT();
  return (
    <section aria-label={title}>
      <Flex justify="space-between" align="center" gap="small">
        <Typography.Text strong>{title}</Typography.Text>
        <Typography.Text copyable={{ text, tooltips: [t('Copy'), t('Copied')] }} />
      </Flex>
      <Typography.Paragraph style={{ margin: 0 }}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be in reach of the keyboard */}
        <pre data-testid={testId} tabIndex={0} style={{ margin: 0, overflow: 'auto', maxHeight: 480 }}>
          {text}
        </pre>
      </Typography.Paragraph>
    </section>
  );
}
