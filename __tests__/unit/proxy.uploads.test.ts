import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leavesFolder, visitorLocation, workerUrl } from '../../src/server/proxy/upload-addresses';

describe('a redirect of an app’s answer', () => {
  const of = (location: string, publicPath = '/', host = 'Shop.test:8443') =>
    visitorLocation(location, 'crm', publicPath, host);

  it.each([
    ['/storage/uploads/a.png?__appName=crm', '/files/crm/~uploads/a.png?__appName=crm'],
    ['/storage/uploads/2026/%E6%8A%A5%20100%25.png?download=1#page=2', undefined],
    ['/storage/uploads/a..b/.c/...png', undefined],
    ['https://shop.test:8443/storage/uploads/a.png', '/files/crm/~uploads/a.png'],
    ['HTTP://SHOP.TEST:8443/storage/uploads/a.png', '/files/crm/~uploads/a.png'],
  ])('to an upload is changed to the path that the proxy serves: %s', (location, expected) => {
    expect(of(location)).toBe(expected ?? location.replace('/storage/uploads/', '/files/crm/~uploads/'));
  });

  it.each([
    '/signin?redirect=/storage/uploads/a.png',
    '/storage/uploads',
    '/storage/uploads-old/a.png',
    '/x/storage/uploads/a.png',
    'storage/uploads/a.png',
    '//shop.test:8443/storage/uploads/a.png',
    '//storage/uploads/a.png',
    'https://cdn.test/storage/uploads/a.png',
    'https://shop.test/storage/uploads/a.png',
    'https://shop.test:8443@cdn.test/storage/uploads/a.png',
    'https://shop.test:8443',
    'ftp://shop.test:8443/storage/uploads/a.png',
    '/storage/uploads/../../api/x',
    '/storage/uploads/a/%2E./x',
    '/storage/uploads/..%2fx',
    '/storage/uploads/..\\x',
    '',
  ])('to anything else stays unchanged: %s', (location) => {
    expect(of(location)).toBe(location);
  });

  it('respects APP_PUBLIC_PATH', () => {
    expect(of('/portal/storage/uploads/a.png', '/portal/')).toBe('/portal/files/crm/~uploads/a.png');
    expect(of('/storage/uploads/a.png', '/portal/')).toBe('/storage/uploads/a.png');
  });
});

describe('the request to a worker', () => {
  it.each([
    ['/files/crm/~uploads/a.png', '/storage/uploads/a.png?__appName=crm'],
    ['/files/crm/~uploads/a.png?__appName=crm&download=1', '/storage/uploads/a.png?__appName=crm&download=1'],
    ['/files/crm/~uploads/x/%E6%8A%A5%3F.png?a=%26&b', '/storage/uploads/x/%E6%8A%A5%3F.png?__appName=crm&a=%26&b'],
    // As the core has named it: in an encoded path, too.
    ['/files/%63rm/~uploads/a.png', '/storage/uploads/a.png?__appName=crm'],
  ])('%s: %s', (url, expected) => {
    expect(workerUrl(url, 'crm', '/')).toBe(expected);
    expect(workerUrl(`/portal${url}`, 'crm', '/portal/')).toBe(`/portal${expected}`);
  });

  it.each(['__appName=main', '__appName[]=main', '__appName%5B0%5D=main', '%5f_appName=main', '__appName'])(
    'names this app and no other: %s',
    (other) => {
      expect(workerUrl(`/files/crm/~uploads/a.png?${other}&x=1`, 'crm', '/')).toBe(
        '/storage/uploads/a.png?__appName=crm&x=1',
      );
      expect(workerUrl(`/files/crm/~uploads/a.png?x=1&${other}#__appName=main`, 'crm', '/')).toBe(
        '/storage/uploads/a.png?__appName=crm&x=1',
      );
    },
  );

  it.each([
    '/files/crm/main/attachments/1.png',
    '/files/crm/~uploads',
    '/files/~uploads/a.png',
    '/files/crm/main/~uploads/a.png',
    '/files/crm/~uploads/../../api/users:list',
    '/files/crm/~uploads/..%2F..%2Fapps/main/aes_key.dat',
    '/files/crm/~uploads/%2e%2E/x',
    '/files/crm/~uploads/..?x',
    '/portal/files/crm/~uploads/a.png',
    '/api/files/crm/~uploads/a.png',
    '/storage/uploads/a.png',
  ])('is otherwise the visitor’s request: %s', (url) => {
    expect(workerUrl(url, 'crm', '/')).toBe(url);
  });

  it('is the address to which the worker had redirected the visitor', () => {
    const path = fc.array(fc.constantFrom('a', 'b.png', '/', '.', '%2e', '%2F', '%20', '~')).map((all) => all.join(''));
    fc.assert(
      fc.property(path, fc.constantFrom('/', '/portal/'), (name, publicPath) => {
        const upload = `${publicPath}storage/uploads/${name}`;
        fc.pre(!leavesFolder(name));
        const location = visitorLocation(`${upload}?__appName=crm`, 'crm', publicPath, 'shop.test');
        expect(workerUrl(location, 'crm', publicPath)).toBe(`${upload}?__appName=crm`);
      }),
    );
  });
});
