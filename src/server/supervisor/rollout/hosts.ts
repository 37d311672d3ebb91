import type { StatusEntry } from '../../../shared/messages';
import type { Health } from '../../../shared/types';
import type { AppDefinition, Published } from '../definitions/repository';
import { confirms } from './observed';
import { askedOf } from './uploads';

/** Which environments may host an app, and which have left it or are leaving it. */
export type Hosts = Required<Pick<Published, 'hosts' | 'left'>>;

/**
 * Which environments may host an app: those in which it is and those that have still to be asked to leave. Where it is in several, also
 * those that are leaving, until they have confirmed it or are down; where it is in one, none of these, so that two never act on its data.
 * What may not host it any more does not again before it is asked to.
 *
 * @param published what is published for the app from now on
 */
export function hostsOf(
  app: Pick<AppDefinition, 'uid' | 'environments'>,
  published: Record<string, Published>,
  observe: (environment: string) => { health: Health; entry: StatusEntry | null },
): Hosts {
  const { environments } = app;
  const asked = Object.keys(published).filter((environment) => askedOf(published, environment));
  const leaving = asked.filter((environment) => published[environment].desired === 'removed');
  const wasOut = new Set(Object.values(published).flatMap(({ left = [] }) => left));
  const isOut = (environment: string) => {
    if (environments.length === 1 || wasOut.has(environment) || published[environment].stray) return true;
    const { health, entry } = observe(environment);
    return health === 'down' || confirms(app.uid, published[environment], entry);
  };
  const hosts = [...new Set([...environments, ...asked])].filter((one) => !leaving.includes(one) || !isOut(one));
  return { hosts: [...hosts].sort(), left: leaving.filter((one) => !hosts.includes(one)).sort() };
}

/** What is published with the hosts of now, where that is to run. */
export function withHosts(wish: Published, hosts: Hosts): Published {
  const { hosts: _, left: __, ...others } = wish;
  return wish.desired === 'removed' ? others : { ...others, ...hosts };
}
