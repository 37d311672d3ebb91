import type { Page } from 'playwright-core';

/** Sign-in by the main app, as it is seen in a browser. */

/**
 * Who is signed in to the app whose page the browser shows: his name, as the app says it; otherwise the page's address, or the
 * status of the app's answer.
 * @param origin of the app, if it has one of its own
 */
export async function whoIsOn(page: Page, app: string, origin?: string): Promise<string> {
  const url = new URL(page.url());
  const isThere = origin ? url.origin === origin : url.pathname.includes(`/apps/${app}/`);
  if (!isThere || !url.pathname.includes('/admin')) return url.href;
  const [key, api] = origin ? ['NOCOBASE_TOKEN', '/api'] : [`NOCOBASE_${app.toUpperCase()}_TOKEN`, `/api/__app/${app}`];
  return page.evaluate(
    async ([key, api]) => {
      const token = localStorage.getItem(key);
      if (!token) return 'no token';
      const answer = await fetch(`${api}/auth:check`, { headers: { Authorization: `Bearer ${token}` } });
      return answer.ok ? ((await answer.json()).data.username as string) : `${answer.status}`;
    },
    [key, api] as const,
  );
}

/** Signs in at the main app's page, which the browser shows or is on its way to. */
export async function signInAtMain(page: Page, account: string, password: string): Promise<void> {
  await page.waitForURL(({ pathname }) => pathname.endsWith('/signin') && !pathname.includes('/apps/'));
  await page.getByPlaceholder('Username/Email').fill(account);
  await page.getByPlaceholder('Password').fill(password);
  await page.keyboard.press('Enter');
}
