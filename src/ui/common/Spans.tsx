import { Radio } from 'antd';
import { useT } from '../host';
import { type Span, spanOf } from './spans';
import { useAddress } from './useAddress';

/** How far back what happened is shown: in the address. */
export function useSpan(): Span {
  return spanOf(useAddress().params.get('span'));
}

/** Chooses it. */
export function Spans() {
  const t = useT();
  const { replace } = useAddress();
  const span = useSpan();
  const show = (value: Span) =>
    replace((now) => {
      now.set('span', value);
      return now;
    });
  return (
    <Radio.Group
      optionType="button"
      value={span}
      onChange={({ target }) => show(target.value)}
      aria-label={t('Outages and failures of the last')}
      options={[
        { value: '1h', label: t('1 hour') },
        { value: '24h', label: t('24 hours') },
        { value: '7d', label: t('7 days') },
      ]}
    />
  );
}
