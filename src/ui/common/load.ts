import type { EnvironmentLoad } from '../../shared/summary';
import { type PlotKind, rounded } from './Plot';
import { key } from './text';
import { bytesText } from './time';

export type LoadSeries = Exclude<keyof EnvironmentLoad, 'name'>;

/** What the load of an environment is called, and its units. Labels are translated where they are shown. */
export const LOAD: Record<LoadSeries, PlotKind> = {
  memory: {
    label: key('Memory'),
    help: key('What the process has of the memory of its machine (resident set size).'),
    show: bytesText,
    base: 1024,
  },
  cpu: {
    label: key('CPU'),
    help: key('How many processors the process keeps busy.'),
    show: (value, t) => t('{{cpus}} CPU', { cpus: Math.round(value * 100) / 100 }),
  },
  delay: {
    label: key('Delay'),
    help: key(
      'How long a request waits until the process turns to it: 99 of 100 wait no longer (event-loop delay). Above 500 ms an environment is busy.',
    ),
    show: (value) => `${rounded(value)} ms`,
  },
  requests: {
    label: key('Requests'),
    help: key('Requests a second that came through this Supervisor.'),
    show: (value) => `${rounded(value)}/s`,
  },
  errors: {
    label: key('Errors'),
    help: key('Answers of 500 to 599 a second, and requests that got none.'),
    show: (value) => `${rounded(value)}/s`,
  },
};
