/** What a zone calls itself (RFC 8536): the latest name for an offset that was in use at a time. */
export type Zone = {
  abbreviation(unixSeconds: bigint, offsetSeconds: number): string | undefined;
};

type Transition = { readonly at: bigint; readonly offset: number; readonly name: string };

const HEADER_BYTES = 44;

/** Reads the names out of a zone's TZif file; undefined if it is none. */
export function readZoneFile(content: Uint8Array): Zone | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  try {
    const first = readHeader(bytes, 0);
    // From version 2 on, the same data with 64-bit times follow those with 32-bit times.
    const transitions =
      first.version >= 2
        ? readTransitions(bytes, HEADER_BYTES + dataBytes(first, 4), 8)
        : readTransitions(bytes, 0, 4);
    return { abbreviation: (at, offset) => nameAt(transitions, at, offset) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function nameAt(
  transitions: readonly Transition[],
  at: bigint,
  offset: number,
): string | undefined {
  const named = transitions.filter((transition) => transition.offset === offset);
  return (named.findLast((transition) => transition.at <= at) ?? named[0])?.name;
}

type Header = {
  readonly version: number;
  readonly isUtcs: number;
  readonly isStds: number;
  readonly leaps: number;
  readonly times: number;
  readonly types: number;
  readonly characters: number;
};

function readHeader(bytes: Buffer, at: number): Header {
  if (bytes.toString('latin1', at, at + 4) !== 'TZif') throw new RangeError('not a zone file');
  const count = (index: number): number => bytes.readUInt32BE(at + 20 + 4 * index);
  return {
    version: Number(String.fromCharCode(bytes.readUInt8(at + 4))) || 1,
    isUtcs: count(0),
    isStds: count(1),
    leaps: count(2),
    times: count(3),
    types: count(4),
    characters: count(5),
  };
}

const dataBytes = (header: Header, timeBytes: number): number =>
  header.times * (timeBytes + 1) +
  header.types * 6 +
  header.characters +
  header.leaps * (timeBytes + 4) +
  header.isStds +
  header.isUtcs;

function readTransitions(bytes: Buffer, at: number, timeBytes: 4 | 8): readonly Transition[] {
  const header = readHeader(bytes, at);
  const times = at + HEADER_BYTES;
  const indexes = times + header.times * timeBytes;
  const types = indexes + header.times;
  const names = types + header.types * 6;
  const type = (index: number) => {
    const from = names + bytes.readUInt8(types + index * 6 + 5);
    const name = bytes.toString('latin1', from, bytes.indexOf(0, from));
    return { offset: bytes.readInt32BE(types + index * 6), name };
  };
  const time = (index: number): bigint =>
    timeBytes === 8
      ? bytes.readBigInt64BE(times + index * 8)
      : BigInt(bytes.readInt32BE(times + index * 4));
  // What holds before the first transition: type 0.
  const start = { at: -(2n ** 63n), ...type(0) };
  const rest = Array.from({ length: header.times }, (_, index) => ({
    at: time(index),
    ...type(bytes.readUInt8(indexes + index)),
  }));
  return [start, ...rest];
}
