import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { Flag } from './flag.ts';

export type OutputFormat = 'pretty' | 'json';

const FORMATS: Readonly<Record<string, OutputFormat | undefined>> = {
  json: 'json',
  pretty: 'pretty',
  prettyprint: 'pretty',
};

/** `-output` (`reference/cli.md` §2.1). Undefined: not given, which means pretty. */
export const outputFlag: Flag<OutputFormat | undefined> = {
  typeWord: 'value',
  standsAlone: false,
  description: 'How to print the answer: pretty (the default) or json',
  shownDefault: '',
  initial: undefined,
  set(text, current) {
    if (current !== undefined && text !== current) {
      throw new Fault('invalid', `the output format has already been set to ${goQuote(current)}`);
    }
    const name = text.toLowerCase();
    const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
    if (format === undefined) {
      throw new Fault('invalid', `bad formatter flag: unknown format option: ${goQuote(text)}`);
    }
    return format;
  },
};
