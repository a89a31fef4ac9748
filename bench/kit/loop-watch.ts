import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type Program } from '../../test/kit/programs.ts';
import type { BenchDomain } from './domain.ts';
import { figure } from './figures.ts';

export type LoopWatch = {
  readonly program: Program;
  /** What was measured until now no longer counts. */
  reset(): Promise<void>;
  /** Prints how long the event loop was held up since the last reset. */
  report(during: string): Promise<void>;
};

/** A server whose event loop is watched (`loop-delay.ts`). */
export async function startWatchedServer(domain: BenchDomain): Promise<LoopWatch> {
  const file = domain.path('loop-delay.json');
  process.env['LOOP_DELAY_FILE'] = file;
  const { program } = await domain.startServer([
    `--import=${join(import.meta.dirname, 'loop-delay.ts')}`,
  ]);
  const read = async () => {
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
    async reset() {
      await read();
    },
    async report(during) {
      const { p99, max } = await read();
      figure(`event loop delay ${during}, p99 (goal 20)`, p99, 'ms');
      figure(`event loop delay ${during}, worst`, max, 'ms');
    },
  };
}
