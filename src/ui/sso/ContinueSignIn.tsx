import { Spin } from 'antd';
import { useEffect } from 'react';
import { useHost } from '../host';

/**
 * The page of the main app between its sign-in and that to an app: it renews a session that has run out, and goes on. The
 * server decides whether there is one.
 */
export function ContinueSignIn() {
  const { request, apiUrl, t } = useHost();
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each opened page
  useEffect(() => {
    const query = new URLSearchParams(window.location.search);
    query.set('tried', '1');
    const goOn = () => window.location.replace(apiUrl(`appSso:authorize?${query}`));
    request({ url: 'auth:check', method: 'get' })
      .then(() => request({ url: 'auth:syncCookies', method: 'post' }))
      .then(goOn, goOn);
  }, []);
  return <Spin size="large" style={{ display: 'block', margin: '30vh auto' }} aria-label={t('Signing in')} />;
}

export default ContinueSignIn;
