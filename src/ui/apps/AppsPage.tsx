import { Page } from '../common/Page';
import { Apps } from './Apps';

export default function AppsPage() {
  return (
    <Page>
      <Apps />
    </Page>
  );
}
