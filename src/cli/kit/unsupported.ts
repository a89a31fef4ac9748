import { Fault } from '../../base/fault.ts';

/** Refuses a configuration that asks for what is not there yet, rather than pass over it. Throws 'unimplemented'. */
export function refuseUnsupported(lines: readonly string[]): void {
  if (lines.length > 0) throw new Fault('unimplemented', lines.join('\n'));
}

/** What `validate` adds to its verdict: the configuration is right, but this version would not run with it. */
export const unsupportedRemark = (lines: readonly string[]): string =>
  lines.map((line) => `This version cannot run with it: ${line}\n`).join('');
