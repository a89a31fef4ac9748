import { wrapFault } from '../../base/fault.ts';

/** For `catch`: the same failure with words before it. */
export const prefixed =
  (prefix: string) =>
  (error: unknown): never => {
    throw wrapFault(prefix, error);
  };

/** Runs a parser; what it throws gets words before it. */
export function within<T>(prefix: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw wrapFault(prefix, error);
  }
}
