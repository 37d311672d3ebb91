import { Page } from '../common/Page';
import { Checklist } from './Checklist';

export default function SecurityPage() {
  return (
    <Page>
      <Checklist />
    </Page>
  );
}
