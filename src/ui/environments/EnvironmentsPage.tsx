import { useSearchParams } from 'react-router-dom';
import { Page } from '../common/Page';
import { useSelectedTab } from '../common/useSelectedTab';
import { AddEnvironment } from './AddEnvironment';
import { EnvironmentPage } from './EnvironmentPage';
import { Environments } from './Environments';

/** The environments, the page of one of them (`?environment=` of the address), or how another one is added. */
export default function EnvironmentsPage() {
  const [params, setParams] = useSearchParams();
  const opened = params.get('environment');
  const leave = () => setParams({});
  useSelectedTab(opened !== null || params.has('add'), leave);
  return (
    <Page>
      {params.has('add') ? (
        <AddEnvironment onBack={leave} />
      ) : opened ? (
        <EnvironmentPage key={opened} name={opened} onForgotten={leave} />
      ) : (
        <Environments onAdd={() => setParams({ add: '1' })} />
      )}
    </Page>
  );
}
