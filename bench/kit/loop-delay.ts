/**
 * Loaded before a program: measures how long its event loop is held up between two SIGWINCH, and after each writes what
 * was measured, in milliseconds. In between it costs nothing, so that CPU can be measured without it.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env['LOOP_DELAY_FILE'] ?? '';
const delay = monitorEventLoopDelay({ resolution: 1 });
let measures = false;
process.on('SIGWINCH', () => {
  delay.disable();
  const p99 = delay.percentile(99) / 1e6;
  const max = delay.max / 1e6;
  measures = !measures;
  delay.reset();
  if (measures) delay.enable();
  writeFileSync(`${file}.new`, JSON.stringify({ p99, max }));
  renameSync(`${file}.new`, file);
});
