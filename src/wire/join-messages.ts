const LENGTH_DELIMITED = 2;

/** Serialised messages as one repeated field: each with its tag and length before it. */
export function joinMessages(fieldNumber: number, messages: readonly Uint8Array[]): Uint8Array {
  const tag = varint((fieldNumber << 3) | LENGTH_DELIMITED);
  return Buffer.concat(messages.flatMap((message) => [tag, varint(message.length), message]));
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) {
      bytes.push(left);
      return Uint8Array.from(bytes);
    }
    bytes.push((left & 0x7f) | 0x80);
  }
}
