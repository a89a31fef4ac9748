import type { Profiler, Runtime } from 'node:inspector';
import type { Frame, Sample } from './pprof.ts';

/** V8's sampling heap profile; Node's types lack some members of it. */
export type SampledHeap = {
  readonly head: SampledNode;
  readonly samples: readonly { readonly nodeId: number }[];
};
type SampledNode = {
  readonly id: number;
  readonly callFrame: Runtime.CallFrame;
  readonly selfSize: number;
  readonly children: readonly SampledNode[];
};

/** Where time went: for each place how many samples, and how many nanoseconds, stood there. */
export function cpuSamples({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Sample[] {
  const parents = new Map<number, number>();
  const frames = new Map<number, Frame>();
  for (const { id, callFrame, children = [] } of nodes) {
    frames.set(id, frameOf(callFrame));
    for (const child of children) parents.set(child, id);
  }
  const found = new Map<number, { count: number; microseconds: number }>();
  for (const [index, id] of samples.entries()) {
    const { count, microseconds } = found.get(id) ?? { count: 0, microseconds: 0 };
    // A clock that jumps back is no reason for negative times.
    const delta = Math.max(0, timeDeltas[index] ?? 0);
    found.set(id, { count: count + 1, microseconds: microseconds + delta });
  }
  return [...found].map(([id, { count, microseconds }]) => ({
    stack: stackOf(id, frames, parents),
    values: [count, microseconds * 1000],
  }));
}

/** What memory is held: for each place how many objects, and how many bytes, come from there. */
export function heapSamples({ head, samples }: SampledHeap): Sample[] {
  const counts = new Map<number, number>();
  for (const { nodeId } of samples) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  const result: Sample[] = [];
  const waiting: { node: SampledNode; outer: readonly Frame[] }[] = [{ node: head, outer: [] }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, outer } = next;
    const frame = frameOf(node.callFrame);
    const stack = isRoot(frame) ? outer : [frame, ...outer];
    if (node.selfSize > 0)
      result.push({ stack, values: [counts.get(node.id) ?? 0, node.selfSize] });
    for (const child of node.children) waiting.push({ node: child, outer: stack });
  }
  return result;
}

function stackOf(
  id: number,
  frames: ReadonlyMap<number, Frame>,
  parents: ReadonlyMap<number, number>,
): readonly Frame[] {
  const stack: Frame[] = [];
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const frame = frames.get(at);
    if (frame !== undefined && !isRoot(frame)) stack.push(frame);
  }
  return stack;
}

/** V8 counts lines from 0. */
const frameOf = ({ functionName, url, lineNumber }: Runtime.CallFrame): Frame => ({
  functionName: functionName === '' ? '(anonymous)' : functionName,
  url,
  line: lineNumber + 1,
});

const isRoot = ({ functionName }: Frame): boolean => functionName === '(root)';
