import { Page } from '../common/Page';
import { Notices } from './Notices';

export default function NoticesPage() {
  return (
    <Page>
      <Notices />
    </Page>
  );
}
