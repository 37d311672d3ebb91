import { Alert, Flex, Radio, Typography } from 'antd';
import { useState } from 'react';
import { JOIN_FORMATS, type JoinAnswer, type JoinFormat, type JoinRequest, type JoinStep } from '../../shared/join';
import { messageText } from '../common/errors';
import { useMakesContainers } from '../common/Page';
import { key } from '../common/text';
import { useT } from '../host';
import { MakeHere } from './MakeHere';

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

/** The instructions by which the Worker is started, each to be copied. */
export function JoinFiles({ join: { files, steps, warnings }, request }: { join: JoinAnswer; request: JoinRequest }) {
  const t = useT();
  const makesContainers = useMakesContainers();
  const [format, setFormat] = useState<JoinFormat | 'here'>(makesContainers ? 'here' : 'compose');
  const formats = JOIN_FORMATS.map((value) => ({ value: value as JoinFormat | 'here', label: FORMATS[value] }));
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
        options={makesContainers ? [{ value: 'here', label: t('Here') }, ...formats] : formats}
        aria-label={t('How the worker is started')}
      />
      {needed.map(({ kind, commands }) => (
        <Text key={kind} title={t(STEPS[kind])} text={commands} testId={`join-step-${kind}`} />
      ))}
      {format === 'here' ? (
        <MakeHere key={request.name} request={request} />
      ) : (
        <Text
          title={needed.length ? t('Then: start the worker') : t('Start the worker')}
          text={files[format]}
          testId="environment-snippet"
        />
      )}
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
