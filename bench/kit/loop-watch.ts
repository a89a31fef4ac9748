import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type Program } from '../../test/kit/programs.ts';
import type { BenchDomain } from './domain.ts';
import { figure } from './figures.ts';

export type LoopWatch = {
  readonly program: Program;
  /** Does the work, and prints how long the event loop was held up meanwhile. */
  during(what: string, work: () => Promise<void>): Promise<void>;
};

/** A server whose event loop is watched (`loop-delay.ts`). */
export async function startWatchedServer(domain: BenchDomain): Promise<LoopWatch> {
  const file = domain.path('loop-delay.json');
  process.env['LOOP_DELAY_FILE'] = file;
  const { program } = await domain.startServer([
    `--import=${join(import.meta.dirname, 'loop-delay.ts')}`,
  ]);
  const toggle = async () => {
    await rm(file, { force: true });
    program.child.kill('SIGWINCH');
    let text: string | undefined;
    await eventually(async () => {
      text = await readFile(file, 'utf8').catch(() => undefined);
      return text !== undefined;
    }, 'the event loop’s figures');
    return JSON.parse(text ?? '{}') as { p99: number; max: number };
  };
  return {
    program,
    async during(what, work) {
      await toggle();
      await work();
      const { p99, max } = await toggle();
      figure(`event loop delay while ${what}, p99 (goal 20)`, p99, 'ms');
      figure(`event loop delay while ${what}, worst`, max, 'ms');
    },
  };
}
