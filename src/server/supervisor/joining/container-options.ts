/** How the container of a Worker runs, in files, commands and the engine: as the services of docker-compose.yml do. */
export const CONTAINER_OPTIONS: ContainerOptions = {
  isReadOnly: true,
  dropped: ['ALL'],
  security: ['no-new-privileges:true'],
  temporary: ['/run/nocobase:uid=1000,gid=1000,mode=0700', '/tmp'],
  stopWithin: 60,
  storage: '/app/nocobase/storage',
  keys: '/keys',
  start: '/app/start.sh',
  memory: 4096,
  processes: 512,
  log: { size: '20m', files: '5' },
  port: 80,
  // The image has no curl.
  healthCheck:
    "fetch('http://127.0.0.1:13000/api/__ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))",
  healthTimes: { interval: 5, timeout: 5, retries: 6, startPeriod: 300 },
};

export interface ContainerOptions {
  /** Whether nothing outside of its volumes can be written. */
  isReadOnly: boolean;
  /** Capabilities that it lacks. */
  dropped: string[];
  /** `security_opt`. */
  security: string[];
  /** Folders in memory, `path[:options]`. */
  temporary: string[];
  /** How long NocoBase may take to stop its apps, in s. */
  stopWithin: number;
  /** Where the image stores files. */
  storage: string;
  /** A folder of the image that belongs to its user, for the file with the secrets. */
  keys: string;
  /** The image's command, which reads the files that it is given. */
  start: string;
  /** In MB; less if somebody asks for less. */
  memory: number;
  /** The most processes and threads. */
  processes: number;
  /** Of its output. */
  log: { size: string; files: string };
  /** Where the image's nginx listens. */
  port: number;
  /** For `node -e`. */
  healthCheck: string;
  /** In s; `retries` in times. */
  healthTimes: Record<'interval' | 'timeout' | 'retries' | 'startPeriod', number>;
}
