import { Page } from '../common/Page';
import { Overview } from './Overview';

export default function OverviewPage() {
  return (
    <Page>
      <Overview />
    </Page>
  );
}
