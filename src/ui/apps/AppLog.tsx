import { Radio } from 'antd';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import { LogView, NoLog } from '../common/LogView';
import { logPlaces } from '../common/log';
import { useIsLocal } from '../common/Page';
import { useAddress } from '../common/useAddress';
import { useT } from '../host';

/** The log of an app in one of its environments, which the address may name. */
export function AppLog({ app }: { app: AppRow }) {
  const api = useApi();
  const { params, replace } = useAddress();
  const of = params.get('logOf');
  const environments = logPlaces(app, of);
  const environment = of ?? environments[0];
  const choose = (name: string) =>
    replace((now) => {
      now.set('logOf', name);
      return now;
    });
  if (!environment) return <NoLog />;
  return (
    <LogView
      of={`${app.name} ${environment}`}
      load={(lines, until) => api.logs(app.name, environment, lines, until)}
      file={`${app.name}-${environment}.log`}
    >
      <Environments names={environments} chosen={environment} choose={choose} />
    </LogView>
  );
}

interface EnvironmentsProps {
  names: string[];
  chosen: string;
  choose: (name: string) => void;
}

function Environments({ names, chosen, choose }: EnvironmentsProps) {
  const t = useT();
  if (useIsLocal() || names.length < 2) return null;
  return (
    <Radio.Group
      size="small"
      optionType="button"
      value={chosen}
      onChange={({ target }) => choose(target.value)}
      options={names}
      aria-label={t('Environment')}
    />
  );
}
