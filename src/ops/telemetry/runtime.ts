import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Metrics } from '../metrics.ts';

const INTERVAL_MILLISECONDS = 1000;
const NANOSECONDS = 1e6;

/**
 * Those of SPIRE's gauges of the Go runtime that Node has a counterpart of: memory in use, memory held, and the
 * pauses of garbage collection. It has none of `num_goroutines`, `malloc_count`, `free_count` and `heap_objects`.
 */
export function watchRuntime(metrics: Metrics): Disposable {
  let pauses = 0;
  let runs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      pauses += duration * NANOSECONDS;
      runs++;
      metrics.sample(GC_PAUSE, duration * NANOSECONDS);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  const tell = () => {
    const heap = getHeapStatistics();
    metrics.gauge(ALLOC, heap.used_heap_size + heap.external_memory);
    metrics.gauge(SYS, heap.total_heap_size + heap.external_memory + heap.malloced_memory);
    metrics.gauge(TOTAL_GC_PAUSE, pauses);
    metrics.gauge(TOTAL_GC_RUNS, runs);
  };
  tell();
  const timer = setInterval(tell, INTERVAL_MILLISECONDS).unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      observer.disconnect();
    },
  };
}

const ALLOC = ['runtime', 'alloc_bytes'];
const SYS = ['runtime', 'sys_bytes'];
const TOTAL_GC_PAUSE = ['runtime', 'total_gc_pause_ns'];
const TOTAL_GC_RUNS = ['runtime', 'total_gc_runs'];
const GC_PAUSE = ['runtime', 'gc_pause_ns'];
