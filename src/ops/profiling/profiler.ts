import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { encodePprof, type ProfileData } from './pprof.ts';
import { cpuSamples, heapSamples, type SampledHeap } from './v8-samples.ts';

/** What of SPIRE's profiles this kind of program has: where time goes, and what memory is held. */
export const profileNames = ['cpu', 'heap'] as const;
export type ProfileName = (typeof profileNames)[number];

/** Profiles of this process, gzipped, in pprof's form. They name functions and count; no value of the program is in them. */
export interface Profiler extends Disposable {
  /** Of so long. Throws 'failed-precondition' while another one is taken; rejects with the signal's reason. */
  cpu(milliseconds: number, signal: AbortSignal): Promise<Uint8Array>;
  /** What was allocated since the profiler was opened and is still held, estimated from samples. */
  heap(): Promise<Uint8Array>;
}

/** As often as Go does. */
const CPU_INTERVAL_MICROSECONDS = 10_000;
/** One sample for so many bytes, as in Go. */
const HEAP_INTERVAL_BYTES = 512 * 1024;

const CPU = { type: 'cpu', unit: 'nanoseconds' };
const SPACE = { type: 'inuse_space', unit: 'bytes' };

/** The heap is measured from here on: one allocation in thousands is looked at. Nothing else is before it is asked for. */
export async function openProfiler(clock: Clock): Promise<Profiler> {
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect(); // within this process: no port is opened
  const openedAt = clock.now();
  await session.post('HeapProfiler.enable');
  await session.post('HeapProfiler.startSampling', { samplingInterval: HEAP_INTERVAL_BYTES });
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: CPU_INTERVAL_MICROSECONDS });
  let measuring = false;

  const measure = async (milliseconds: number, signal: AbortSignal) => {
    if (measuring) throw new Fault('failed-precondition', 'a CPU profile is being taken already');
    measuring = true;
    try {
      await session.post('Profiler.start');
      const given = await clock.sleep(milliseconds, signal).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      const { profile } = await session.post('Profiler.stop');
      if (given !== undefined) throw given.error;
      return profile;
    } finally {
      measuring = false;
    }
  };
  return {
    async cpu(milliseconds, signal) {
      const startedAt = clock.now();
      return await compressed({
        samples: cpuSamples(await measure(milliseconds, signal)),
        valueTypes: [{ type: 'samples', unit: 'count' }, CPU],
        startedAt,
        durationMilliseconds: clock.now() - startedAt,
        period: CPU_INTERVAL_MICROSECONDS * 1000,
        periodType: CPU,
      });
    },
    async heap() {
      const { profile } = await session.post('HeapProfiler.getSamplingProfile');
      return await compressed({
        samples: heapSamples(profile as unknown as SampledHeap),
        valueTypes: [{ type: 'inuse_objects', unit: 'count' }, SPACE],
        startedAt: openedAt,
        durationMilliseconds: clock.now() - openedAt,
        period: HEAP_INTERVAL_BYTES,
        periodType: SPACE,
      });
    },
    [Symbol.dispose]() {
      session.disconnect();
    },
  };
}

const compressed = (data: ProfileData): Promise<Uint8Array> => promisify(gzip)(encodePprof(data));
