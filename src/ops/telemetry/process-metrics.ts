import { readdir, readFile } from 'node:fs/promises';
import { goFloat } from './go-float.ts';

type Row = {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** undefined where this system does not tell. */
  readonly read: () => number | undefined | Promise<number | undefined>;
};

const KILOBYTE = 1024;

/** What Prometheus clients tell of their process, under the names that dashboards know. */
const rows: readonly Row[] = [
  {
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    type: 'counter',
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  {
    name: 'process_max_fds',
    help: 'Maximum number of open file descriptors.',
    type: 'gauge',
    read: () => numberIn('/proc/self/limits', /^Max open files\s+(\d+)/m),
  },
  {
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    type: 'gauge',
    read: async () => (await readdir('/proc/self/fd')).length,
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    type: 'gauge',
    read: () => numberIn('/proc/self/status', /^VmRSS:\s+(\d+) kB/m, KILOBYTE),
  },
  {
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    type: 'gauge',
    read: () => performance.timeOrigin / 1000,
  },
  {
    name: 'process_virtual_memory_bytes',
    help: 'Virtual memory size in bytes.',
    type: 'gauge',
    read: () => numberIn('/proc/self/status', /^VmSize:\s+(\d+) kB/m, KILOBYTE),
  },
];

/** Those lines of a scrape that are about the process. */
export async function processExposition(): Promise<string> {
  const texts = await Promise.all(
    rows.map(async ({ name, help, type, read }) => {
      const value = await Promise.resolve()
        .then(read)
        .catch(() => undefined); // no /proc here
      if (value === undefined) return '';
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${goFloat(value)}\n`;
    }),
  );
  return texts.join('');
}

async function numberIn(path: string, pattern: RegExp, unit = 1): Promise<number | undefined> {
  const found = pattern.exec(await readFile(path, 'utf8'))?.[1];
  return found === undefined ? undefined : Number(found) * unit;
}
