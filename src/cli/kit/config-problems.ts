import { Fault } from '../../base/fault.ts';
import { ConfigFault } from '../../base/problems.ts';

/** For `catch`: what loading a configuration throws, with all that is wrong with the file and where. */
export function withAllProblems(error: unknown): never {
  if (!(error instanceof ConfigFault)) throw error;
  throw new Fault('invalid', error.report, { cause: error });
}
