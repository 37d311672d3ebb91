import { Page } from '../common/Page';
import type { ClientName } from '../entries/entries';
import { Activity } from './Activity';

function ClassicActivityPage() {
  return (
    <Page>
      <Activity appsPath="/admin/settings/app-supervisor/apps" />
    </Page>
  );
}

/** In the modern client, the first tab has the address of the whole. */
function ModernActivityPage() {
  return (
    <Page>
      <Activity appsPath="/admin/settings/app-supervisor" />
    </Page>
  );
}

export const ACTIVITY_PAGES: Record<ClientName, typeof ClassicActivityPage> = {
  classic: ClassicActivityPage,
  modern: ModernActivityPage,
};
