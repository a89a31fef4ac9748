import { Fault } from '../../base/fault.ts';

/**
 * Metadata items, each `name:value`; of two with the same name the later counts
 * (`reference/authorities-and-publishers.md` §E1). Throws 'invalid' with SPIRE's words.
 */
export function parseMetadata(items: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    items.map((item) => {
      const colon = item.indexOf(':');
      if (colon < 0) throw new Fault('invalid', `metadata does not contain a colon: "${item}"`);
      return [item.slice(0, colon), item.slice(colon + 1)];
    }),
  );
}
