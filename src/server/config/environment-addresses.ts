import { z } from 'zod';
import { httpAddress } from '../../shared/http-address';
import { ENVIRONMENT_NAME } from '../../shared/names';
import { list, type Variables } from './variables';

export const ADDRESSES_FORM =
  'names of environments with their proxy addresses, separated by commas, such as env_a=http://worker_a,env_b=http://worker_b';

const addresses = z.string().transform((text, context) => {
  const found = new Map<string, string[]>();
  for (const part of list(text, [])) {
    const [, name = '', written = ''] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    const address = httpAddress(written.trim());
    if (address === null || !ENVIRONMENT_NAME.test(name.trim())) {
      context.addIssue({ code: 'custom', message: part });
      return z.NEVER;
    }
    found.set(name.trim(), [...(found.get(name.trim()) ?? []), address]);
  }
  return found;
});

/** By environment, the proxy addresses that count as confirmed: `APP_SUPERVISOR_ENVIRONMENT_ADDRESSES`. */
export const environmentAddressesOf = (variables: Variables): ReadonlyMap<string, readonly string[]> =>
  variables.read('APP_SUPERVISOR_ENVIRONMENT_ADDRESSES', addresses, ADDRESSES_FORM, new Map());
