import type { Fleet } from '../../scripts/fleet';
import type { Manager } from './manager';
import { SimulatedWorker } from './simulated-worker';

/** Environments that do at once what they are told, beside those of a fleet: no NocoBase boots for their apps. */
export async function appear(fleet: Fleet, manager: Manager, ...names: string[]): Promise<SimulatedWorker[]> {
  const { version } = (await manager.api.get('app:getInfo')).data;
  return Promise.all(
    names.map(async (name) => {
      const worker = SimulatedWorker.of(fleet, name);
      await worker.appear({ appVersion: version });
      await manager.confirmAddress(name, `http://${name}:15000`);
      worker.obey();
      await manager.untilEnvironment(name, ({ health }) => health === 'online', { what: 'online' });
      return worker;
    }),
  );
}

/** Their apps are to be gone. */
export async function disappear(manager: Manager, workers: SimulatedWorker[]): Promise<void> {
  for (const worker of workers) await worker.leave();
  for (const { environment } of workers) {
    await manager.untilEnvironment(environment, ({ health }) => health === 'down', { what: 'down' });
    await manager.api.post(`appEnvironments:forget?filterByTk=${environment}`);
  }
  for (const worker of workers) await worker.close();
}
