import { Page } from '../common/Page';
import { PATHS } from '../common/paths';
import { Activity } from './Activity';

export default function ActivityPage() {
  return (
    <Page>
      <Activity appsPath={PATHS.apps} />
    </Page>
  );
}
