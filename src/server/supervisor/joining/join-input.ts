import { z } from 'zod';
import { environmentName } from '../../../shared/app';
import { isImageName, isNetworkName, isServer } from '../../../shared/containers';
import { httpAddress } from '../../../shared/http-address';
import { inputOf } from '../definitions/input-schema';

/** The parameters of `appEnvironments:join` and `:arrival`. Their values reach files and shells, so that nothing unexpected may pass. */

/** As URL writes it, which accepts and drops line breaks. */
export const address = z
  .string()
  .max(500)
  .transform((text, context) => {
    const found = httpAddress(text);
    if (found) return found;
    context.addIssue({ code: 'custom', message: 'INPUT_HTTP_ADDRESS' });
    return z.NEVER;
  });

/** Empty is the same as not given. */
const orNone = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const name = inputOf(environmentName);

export const joinFields = {
  name,
  url: address,
  proxyUrl: orNone(address),
  image: orNone(z.string().refine(isImageName, 'INPUT_IMAGE')),
  network: orNone(z.string().refine(isNetworkName, 'INPUT_NETWORK')),
  redis: orNone(z.string().refine(isServer, 'INPUT_SERVER')),
  database: orNone(z.string().refine(isServer, 'INPUT_SERVER')),
};

export const joinInput = z.strictObject(joinFields);

export const arrivalInput = z.strictObject({ name, address });

export const admitInput = z.strictObject({ address });
