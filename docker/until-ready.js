// Ends once the instance is ready, or when its main app has been usable for a while and the rest does not follow: pages say why.
const { APP_PORT = '13000', APP_PUBLIC_PATH = '/', API_BASE_PATH = `${APP_PUBLIC_PATH}/api/` } = process.env;
const probe = `http://127.0.0.1:${APP_PORT}${`${API_BASE_PATH}/__ready`.replace(/\/+/g, '/')}`;
const PATIENCE = 20_000;
/** The fleet knows where a Worker is a moment before it is ready, and visitors follow. */
const INTERVAL = 100;

let usableSince = null;
const ask = async () => {
  const answer = await fetch(probe).catch(() => null);
  const { state } = (await answer?.json().catch(() => ({}))) ?? { state: 'starting' };
  if (state !== 'starting') usableSince ??= Date.now();
  if (!answer?.ok && !(usableSince && Date.now() - usableSince > PATIENCE)) setTimeout(ask, INTERVAL);
};
ask();
