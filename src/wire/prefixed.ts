import { type FaultKind, wrapFault } from '../base/fault.ts';

/** What `parse` returns; what it throws says first what was being read, and keeps its kind unless another is given. */
export function prefixed<T>(prefix: string, parse: () => T, kind?: FaultKind): T {
  try {
    return parse();
  } catch (error) {
    throw wrapFault(prefix, error, kind);
  }
}
