import type { HostApp } from '@nocobase/flow-engine';
import { isShownTo } from './common/snippets';

const OVERVIEW = 'pm.app-supervisor.overview';
const SHOWN = 'appSupervisorShown';

/**
 * A main app without pages shows nothing but how to make some. Whoever manages apps is led to them instead, once in each tab: the
 * empty page stays within reach, for a first page of one's own.
 */
export function leadToApps(app: HostApp): void {
  let maySee = false;
  let hasPages = true;
  const goOn = () => {
    const page = window.location.pathname.slice(app.router.basename.replace(/\/$/, '').length);
    if (!maySee || hasPages || !/^\/admin\/?$/.test(page) || sessionStorage.getItem(SHOWN)) return;
    sessionStorage.setItem(SHOWN, '1');
    void app.router.router.navigate('/admin/settings/app-supervisor', { replace: true });
  };
  app.apiClient.axios.interceptors.response.use((answer) => {
    const url = answer.config?.url ?? '';
    const { data } = (answer.data ?? {}) as { data?: unknown };
    if (url.includes('roles:check'))
      maySee = isShownTo((data as { snippets?: string[] })?.snippets ?? ['!pm.*'], OVERVIEW);
    else if (url.includes('desktopRoutes:listAccessible')) hasPages = !Array.isArray(data) || data.length > 0;
    else return answer;
    // The client has to have drawn its page before it can leave it.
    setTimeout(goOn);
    return answer;
  });
}
