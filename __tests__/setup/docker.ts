import type { TestProject } from 'vitest/node';
import { DockerEngine } from '../../scripts/docker/engine';
import { makeImages } from '../../scripts/docker/images';
import { services } from '../support/compose';

/** An engine that has every image that docker-compose.yml and the Dockerfile name. */
export default async function setup(_: TestProject): Promise<() => Promise<void>> {
  const engine = await DockerEngine.start();
  const { NOCOBASE_IMAGE, NODE_IMAGE } = services.supervisor.build!.args;
  await makeImages(engine, {
    redis: services.redis.image!,
    postgres: services.postgres.image!,
    haproxy: services.haproxy.image!,
    node: NODE_IMAGE,
    nocobase: NOCOBASE_IMAGE,
  });
  return () => engine.stop();
}
