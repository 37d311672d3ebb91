/** `nocobase start --instances` is known by what PM2 sets in the processes that it starts. */
export const processesOf = ({ exec_mode, instances }: NodeJS.ProcessEnv) =>
  exec_mode === 'cluster_mode' ? instances : undefined;

/**
 * Several processes on one port: each request reaches any of them.
 *
 * @param processes as `CLUSTER_MODE` or PM2 says it
 * @param problems gets one that says what to do instead
 */
export function checkProcesses(processes: string, part: 'supervisor' | 'worker' | 'local', problems: string[]): void {
  if (processes === '1') return;
  const instead: Record<typeof part, string> = {
    supervisor: 'start a second Supervisor with an address of its own, behind a load balancer',
    worker: 'only one process of an environment hosts apps: add environments, and give an app several of them',
    local: 'only one process hosts apps: use a Supervisor and Workers',
  };
  problems.push(
    `CLUSTER_MODE (or --instances) is "${processes}"; the role "${part}" is one process and needs it unset. For more capacity, ${instead[part]}.`,
  );
}
