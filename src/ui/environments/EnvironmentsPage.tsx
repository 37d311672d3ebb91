import { useSearchParams } from 'react-router-dom';
import { Page } from '../common/Page';
import { AddEnvironment } from './AddEnvironment';
import { Environments } from './Environments';

export default function EnvironmentsPage() {
  const [params, setParams] = useSearchParams();
  return (
    <Page>
      {params.has('add') ? (
        <AddEnvironment onBack={() => setParams({})} />
      ) : (
        <Environments onAdd={() => setParams({ add: '1' })} />
      )}
    </Page>
  );
}
