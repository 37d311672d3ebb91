import { SearchOutlined } from '@ant-design/icons';
import { useDebounceFn } from 'ahooks';
import { Input } from 'antd';
import { useEffect, useRef, useState } from 'react';
import { useT } from '../host';

interface Props {
  /** As the address has it. */
  text: string;
  /** What is searched. */
  label: string;
  ask: (text: string) => void;
}

/** Finds rows of a list. Asks once nothing was entered for a moment. */
export function TextFilter({ text, label, ask }: Props) {
  const t = useT();
  const [entered, enter] = useState(text);
  /** What this field has put into the address: another text there is of a link, or of the browser's Back. */
  const asked = useRef(text);
  useEffect(() => {
    if (text === asked.current) return;
    asked.current = text;
    enter(text);
  }, [text]);
  const { run: search } = useDebounceFn(
    (next: string) => {
      asked.current = next;
      ask(next);
    },
    { wait: 250 },
  );
  return (
    <Input
      prefix={<SearchOutlined aria-hidden />}
      allowClear
      placeholder={t('Search')}
      aria-label={label}
      title={label}
      style={{ flex: '1 1 160px', minWidth: 0, maxWidth: 240 }}
      value={entered}
      onChange={({ target }) => {
        enter(target.value);
        search(target.value);
      }}
      data-testid="filter-text"
    />
  );
}
