import { Form, Select } from 'antd';
import type { MovePlan } from '../../shared/move';
import { type Translate, useT } from '../host';
import { messageText } from './errors';
import type { MoveChoice } from './useMovePlan';

/** Chooses the environment to which apps move. */
export function MoveTarget({ plan, to, setTo }: Pick<MoveChoice, 'plan' | 'to' | 'setTo'>) {
  const t = useT();
  return (
    <Form layout="vertical">
      <Form.Item label={t('To environment')} htmlFor="move-to" style={{ margin: 0 }}>
        <Select
          id="move-to"
          allowClear
          placeholder={t('The best place for each app')}
          value={to}
          onChange={setTo}
          options={plan?.places.map((place) => placeOption(t, place))}
          data-testid="move-to"
        />
      </Form.Item>
    </Form>
  );
}

/** An environment to choose, with its load or why it takes nothing. */
export const placeOption = (t: Translate, { name, apps, refusal }: MovePlan['places'][number]) => ({
  value: name,
  title: name,
  label: `${name} · ${refusal ? messageText(t, refusal) : t('{{count}} apps', { count: apps })}`,
  disabled: refusal !== null,
});
