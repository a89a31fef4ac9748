import { setImmediate as turn } from 'node:timers/promises';

/** What serialising takes the event loop for at once: about a millisecond. */
const SLICE_BYTES = 32 * 1024;

/**
 * Serialises the items of a list, and lets others have their turn in between: a list of all entries would hold up
 * every other caller for a tenth of a second. Rejects when the call is over.
 */
export async function encodeList<Item>(
  items: readonly Item[],
  encode: (item: Item) => Uint8Array,
  call: { readonly signal: AbortSignal },
): Promise<readonly Uint8Array[]> {
  const encoded: Uint8Array[] = [];
  let slice = 0;
  for (const item of items) {
    const bytes = encode(item);
    encoded.push(bytes);
    slice += bytes.length;
    if (slice < SLICE_BYTES) continue;
    slice = 0;
    await turn();
    call.signal.throwIfAborted();
  }
  return encoded;
}
