import { wrapFault } from '../base/fault.ts';

/** What `parse` returns; what it throws says first what was being read. */
export function prefixed<T>(prefix: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw wrapFault(prefix, error);
  }
}
