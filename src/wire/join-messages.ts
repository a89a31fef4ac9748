const LENGTH_DELIMITED = 2;

/** Serialised messages as one repeated field: each with its tag and length before it. */
export function joinMessages(fieldNumber: number, messages: readonly Uint8Array[]): Uint8Array {
  const tag = (fieldNumber << 3) | LENGTH_DELIMITED;
  let length = messages.length * varintLength(tag);
  for (const message of messages) length += varintLength(message.length) + message.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const message of messages) {
    at = writeVarint(joined, at, tag);
    at = writeVarint(joined, at, message.length);
    joined.set(message, at);
    at += message.length;
  }
  return joined;
}

function varintLength(value: number): number {
  let length = 1;
  for (let left = value >>> 7; left > 0; left >>>= 7) length += 1;
  return length;
}

/** Returns where it ends. */
function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let left = value;
  for (; left >= 0x80; left >>>= 7) bytes[at++] = (left & 0x7f) | 0x80;
  bytes[at++] = left;
  return at;
}
