/** `make bench`: all benchmarks, or those named: `node bench/run.ts issuing memory`. Builds nothing: run `make build` first. */
import { issuing } from './issuing.ts';
import { memory } from './memory.ts';
import { metrics } from './metrics.ts';
import { syncing } from './syncing.ts';
import { timeToIdentity } from './time-to-identity.ts';

const benchmarks = { issuing, syncing, 'time-to-identity': timeToIdentity, memory, metrics };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  console.error(
    `no benchmark ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}`,
  );
  process.exitCode = 2;
} else {
  for (const [name, benchmark] of Object.entries(benchmarks)) {
    if (wanted.length === 0 || wanted.includes(name)) await benchmark();
  }
}
