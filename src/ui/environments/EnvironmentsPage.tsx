import { Flex } from 'antd';
import { useSearchParams } from 'react-router-dom';
import { Page, useMakesContainers } from '../common/Page';
import { AddEnvironment } from './AddEnvironment';
import { Containers } from './Containers';
import { Environments } from './Environments';

export default function EnvironmentsPage() {
  const [params, setParams] = useSearchParams();
  return (
    <Page>
      {params.has('add') ? (
        <AddEnvironment onBack={() => setParams({})} />
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
