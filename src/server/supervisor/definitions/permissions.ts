import { isDeepStrictEqual } from 'node:util';
import { APP } from '../../../shared/app';
import { defaultsIn, keysIn, type Need, type Type } from '../../../shared/fields';
import { ssoOf } from '../../../shared/sso';
import { AppSupervisorError } from '../../errors';
import type { CreateInput, UpdateInput } from './input';
import type { AppDefinition } from './repository';

/** What somebody may do besides the action that he asks for. */
export interface Permissions {
  /** Has the permission Security. */
  security: boolean;
  /** The hosts by which the request has come: main answers there, whatever its own address is. */
  hosts: readonly string[];
}

/** Of the fleet itself, and of whoever has asked before. */
export const EVERYTHING: Permissions = { security: true, hosts: [] };

type Sso = AppDefinition['sso'];
type Settings = Record<string, unknown> & { options: { sso: Record<string, unknown> } };

/** In the shape of the input. What is not stored of a sign-in has its default. */
const settingsOf = ({ sso, ...app }: Record<string, unknown> & { sso?: Sso }): Settings => ({
  ...app,
  options: { sso: { ...sso, ...ssoOf(sso) } },
});

/** What the declaration of an app says of a value, by its path. */
function* needsIn(parts: Record<string, Type>, path: string[] = []): Generator<[path: string[], need: Need]> {
  for (const [name, type] of Object.entries(parts)) {
    if (type.needs) yield [[...path, name], type.needs];
    else if (type.kind === 'object') yield* needsIn(type.parts, [...path, name]);
  }
}

const INPUT = Object.fromEntries(keysIn(APP, 'create').map((key) => [key, APP[key].type as Type]));
const NEEDS = [...needsIn(INPUT)];

const at = (settings: unknown, path: string[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], settings);

/**
 * Whether somebody may change what he asks for. A value that stays as it is needs no permission: forms send all of them.
 * @param before null for a new app
 * @throws AppSupervisorError NEEDS_SECURITY, or DOMAIN_TAKEN for a host of main
 */
export function assertPermitted(
  before: AppDefinition | null,
  { options, ...input }: UpdateInput | CreateInput,
  { security, hosts }: Permissions,
): void {
  const { cname } = input;
  if (cname && cname !== before?.cname && hosts.includes(cname))
    throw new AppSupervisorError('DOMAIN_TAKEN', { domain: cname, app: 'main' }, 'cname');
  if (security) return;
  const was = settingsOf(before ? { ...before } : defaultsIn(APP, 'create'));
  const is = settingsOf({ ...was, ...input, sso: (options?.sso as Sso) ?? was.options.sso });
  const hasSso = was.options.sso.enabled || is.options.sso.enabled;
  for (const [path, need] of NEEDS) {
    if ((need === 'securityWithSso' && !hasSso) || isDeepStrictEqual(at(was, path), at(is, path))) continue;
    const field = path.join('.');
    throw new AppSupervisorError('NEEDS_SECURITY', { field }, field);
  }
}
