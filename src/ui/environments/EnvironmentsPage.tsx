import { Flex } from 'antd';
import { useSearchParams } from 'react-router-dom';
import { Page, useMakesContainers } from '../common/Page';
import { AddEnvironment } from './AddEnvironment';
import { Containers } from './Containers';
import { EnvironmentPage } from './EnvironmentPage';
import { Environments } from './Environments';

/** The environments, the page of one of them (`?environment=` of the address), or how another one is added. */
export default function EnvironmentsPage() {
  const [params, setParams] = useSearchParams();
  const opened = params.get('environment');
  return (
    <Page>
      {params.has('add') ? (
        <AddEnvironment onBack={() => setParams({})} />
      ) : opened ? (
        <EnvironmentPage key={opened} name={opened} onForgotten={() => setParams({})} />
      ) : (
        <Overview onAdd={() => setParams({ add: '1' })} />
      )}
    </Page>
  );
}

function Overview({ onAdd }: { onAdd: () => void }) {
  const makesContainers = useMakesContainers();
  return (
    <Flex vertical gap="middle">
      <Environments onAdd={onAdd} />
      {makesContainers && <Containers />}
    </Flex>
  );
}
