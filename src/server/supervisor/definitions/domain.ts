import {
  type Addresses,
  type FleetHosts,
  isNamedHost,
  labelIn,
  labelOf,
  parseAppsDomain,
} from '../../../shared/origins';
import { AppSupervisorError } from '../../errors';
import { invalid } from './input';

/** The part of an app that decides where visitors find it. */
interface Placed {
  name: string;
  cname: string | null;
}

/**
 * A custom domain must be a name that belongs to nothing else: not to main or a Worker, since the app would answer there
 * instead, in main's own origin, and not to another app below `APP_SUPERVISOR_APPS_DOMAIN`. Without the Supervisor's own address
 * nobody could tell.
 * @throws AppSupervisorError `PUBLIC_URL_MISSING`, `INVALID_INPUT`, `DOMAIN_OF_WORKER` or `DOMAIN_TAKEN`
 */
export function assertDomainOfNoOther(
  cname: string,
  name: string,
  apps: Iterable<Placed>,
  addresses: Addresses,
  fleet: FleetHosts,
): void {
  if (addresses.publicUrl === null) throw new AppSupervisorError('PUBLIC_URL_MISSING', {}, 'cname');
  if (!isNamedHost(cname)) throw invalid('cname', 'INPUT_DOMAIN_NAME');
  const holder = fleet.get(cname) ?? holderOf(cname, name, apps, addresses);
  if (holder === null) return;
  if (holder !== 'main' && fleet.has(cname))
    throw new AppSupervisorError('DOMAIN_OF_WORKER', { domain: cname, environment: holder }, 'cname');
  throw new AppSupervisorError('DOMAIN_TAKEN', { domain: cname, app: holder }, 'cname');
}

function holderOf(cname: string, name: string, apps: Iterable<Placed>, addresses: Addresses): string | null {
  const domain = addresses.appsDomain && parseAppsDomain(addresses.appsDomain);
  const label = domain ? labelIn(cname, domain) : null;
  if (!label || label === labelOf(name)) return null;
  for (const app of apps) if (labelOf(app.name) === label) return app.name;
  return null;
}

/**
 * Below `APP_SUPERVISOR_APPS_DOMAIN`, the name of a new app must make a host that no other app has.
 * @throws AppSupervisorError `INVALID_INPUT`, `NAME_TAKEN` or `DOMAIN_TAKEN`
 */
export function assertLabelFree(name: string, apps: Iterable<Placed>, { appsDomain }: Addresses): void {
  const domain = appsDomain && parseAppsDomain(appsDomain);
  if (!domain) return;
  const label = labelOf(name);
  if (label === null) throw invalid('name', 'INPUT_NAME_LABEL');
  const host = `${label}.${domain.host}`;
  for (const app of apps) {
    if (labelOf(app.name) === label) throw new AppSupervisorError('NAME_TAKEN', { app: app.name }, 'name');
    if (app.cname === host) throw new AppSupervisorError('DOMAIN_TAKEN', { domain: host, app: app.name }, 'name');
  }
}
