/** Loaded before a program: on its way out it writes how long its event loop was held up, in milliseconds. */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env['LOOP_DELAY_FILE'];
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
// A measurement starts when asked to, so that start-up does not count.
process.on('SIGWINCH', () => {
  delay.reset();
});
process.on('exit', () => {
  const p99 = delay.percentile(99) / 1e6;
  const max = delay.max / 1e6;
  if (file !== undefined) writeFileSync(file, JSON.stringify({ p99, max }));
});
