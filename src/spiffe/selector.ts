import { Fault } from '../base/fault.ts';

/** One fact about a node or a workload, as an attestor found it: `unix:uid:1000` has type `unix`. */
export type Selector = { readonly type: string; readonly value: string };

/** Splits at the first colon; either side may be empty, as on SPIRE's command line. Throws 'invalid'. */
export function parseSelector(text: string): Selector {
  const colon = text.indexOf(':');
  if (colon === -1) {
    throw new Fault('invalid', `selector "${text}" must be formatted as type:value`);
  }
  return { type: text.slice(0, colon), value: text.slice(colon + 1) };
}

/** `type:value`; also the key of a selector in sets and maps, since a type holds no colon. */
export const selectorText = (selector: Selector): string => `${selector.type}:${selector.value}`;

/** What an entry or an attestor may use: a type without colon, and a value. Throws 'invalid'. */
export function checkSelector({ type, value }: Selector): void {
  if (type === '') throw new Fault('invalid', 'missing selector type');
  if (type.includes(':')) throw new Fault('invalid', "selector type contains ':'");
  if (value === '') throw new Fault('invalid', 'missing selector value');
}

/** By type, then value, bytewise. */
export const compareSelectors = (a: Selector, b: Selector): number =>
  compareText(a.type, b.type) || compareText(a.value, b.value);

/** Strings compare by UTF-16 units, which orders what lies beyond U+FFFF differently from their bytes. */
const compareText = (a: string, b: string): number =>
  a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
