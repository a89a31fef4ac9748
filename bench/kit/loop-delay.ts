/**
 * Loaded before a program: tells how long its event loop was held up. Each SIGWINCH writes what was measured since the
 * last one, in milliseconds, and begins anew, so that each part of a benchmark has figures of its own.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env['LOOP_DELAY_FILE'] ?? '';
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('SIGWINCH', () => {
  const p99 = delay.percentile(99) / 1e6;
  const max = delay.max / 1e6;
  writeFileSync(`${file}.new`, JSON.stringify({ p99, max }));
  renameSync(`${file}.new`, file);
  delay.reset();
});
