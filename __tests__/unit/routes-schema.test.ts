import { describe, expect, it } from 'vitest';
import { appRoute, environmentRoute, routeSettings } from '../../src/shared/routes';

const APP = {
  uid: 'u1',
  name: 'crm_2',
  hosts: ['crm.example.com'],
  environments: ['env_a', 'env.b'],
  stopped: false,
  signIn: false,
};
const SETTINGS = {
  appsDomain: 'https://apps.example.com:8443',
  publicUrl: 'https://nocobase.example.com',
  trustedProxies: ['loopback', '10.0.0.0/8', '::1', '*'],
  frameAncestors: { main: "'self' https://*.example.com", apps: '' },
  apiBase: '/api',
  publicPath: '/',
  wsPath: '/ws',
  modernPrefix: 'v',
  portals: false,
  bounds: {
    requestsPerApp: 1,
    requestsPerEnvironment: 1,
    webSocketsPerApp: 1,
    webSocketsPerAddress: 1,
    signInsPerAddress: 1,
    headers: 1,
    anonymousBody: 1,
    anonymousUpload: 1,
    bodySilence: 1,
  },
};

/** What ends a word, a line or a command of HAProxy, or begins another one. */
const HOSTILE = [' ', '\n', '\r', ';', '\\', '"', "'", '#', '%', '$', '{', '\t', '\0', ','];

describe('the routes of a door', () => {
  it('are what a fleet has', () => {
    expect(appRoute.parse(APP)).toEqual(APP);
    expect(routeSettings.parse(SETTINGS)).toEqual(SETTINGS);
    const urls = ['http://worker_a', 'https://w.example.com:8443/b/c', 'http://[fd00::1]:13000', 'http://10.0.0.1:1'];
    for (const url of urls) expect(environmentRoute.parse({ name: 'env_a', url }).url).toBe(url);
  });

  it.each(HOSTILE)('have no text with %j', (character) => {
    const within = (text: string) => [`${text}${character}`, `${text}${character}x`, `${character}${text}`];
    for (const text of within('a')) {
      expect(appRoute.safeParse({ ...APP, uid: text }).success, text).toBe(false);
      expect(appRoute.safeParse({ ...APP, name: text }).success, text).toBe(false);
      expect(appRoute.safeParse({ ...APP, hosts: [text] }).success, text).toBe(false);
      expect(appRoute.safeParse({ ...APP, environments: [text] }).success, text).toBe(false);
      expect(environmentRoute.safeParse({ name: text, url: 'http://a' }).success, text).toBe(false);
      expect(environmentRoute.safeParse({ name: 'a', url: `http://${text}` }).success, text).toBe(false);
      expect(environmentRoute.safeParse({ name: 'a', url: `http://a/${text}` }).success, text).toBe(false);
      for (const field of ['appsDomain', 'publicUrl', 'apiBase', 'publicPath', 'wsPath', 'modernPrefix'])
        expect(routeSettings.safeParse({ ...SETTINGS, [field]: `${text}` }).success, `${field} ${text}`).toBe(false);
      expect(routeSettings.safeParse({ ...SETTINGS, trustedProxies: [text] }).success, text).toBe(false);
    }
    for (const field of ['apiBase', 'publicPath', 'wsPath'])
      expect(routeSettings.safeParse({ ...SETTINGS, [field]: `/a${character}` }).success, field).toBe(false);
    expect(routeSettings.safeParse({ ...SETTINGS, publicUrl: `https://a${character}b` }).success).toBe(false);
  });

  it.each([';', '\n', '"', ','])('frame ancestors have no %j', (character) => {
    const frameAncestors = { main: `'self'${character} https://a`, apps: '' };
    expect(routeSettings.safeParse({ ...SETTINGS, frameAncestors }).success).toBe(false);
  });
});
