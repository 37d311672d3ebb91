/**
 * How the container of a Worker runs, in files, commands and the engine: as the services of docker-compose.yml do. Nothing
 * outside of its volumes can be written.
 */
export const CONTAINER_OPTIONS = {
  /** Capabilities that it lacks. */
  dropped: ['ALL'],
  /** `security_opt`. */
  security: ['no-new-privileges:true'],
  /** Folders in memory, `path[:options]`. */
  temporary: ['/run/nocobase:uid=1000,gid=1000,mode=0700', '/tmp'],
  /** How long NocoBase may take to stop its apps, in s. */
  stopWithin: 60,
  /** Where the image stores files. */
  storage: '/app/nocobase/storage',
  /** A folder of the image that belongs to its user, for the file with the secrets. */
  keys: '/keys',
  /** The image's command, which reads the files that it is given. */
  start: '/app/start.sh',
  /** In MB; less if somebody asks for less. */
  memory: 4096,
  /** The most processes and threads. */
  processes: 512,
  /** Of its output. */
  log: { size: '20m', files: '5' },
  /** Where the image's nginx listens. */
  port: 80,
  /** For `node -e`: the image has no curl. */
  healthCheck:
    "fetch('http://127.0.0.1:13000/api/__ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))",
  /** In s; `retries` in times. */
  healthTimes: { interval: 5, timeout: 5, retries: 6, startPeriod: 300 },
};
