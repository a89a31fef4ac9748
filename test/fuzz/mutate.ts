/** A small generator of pseudo-random numbers (xorshift32), so that a seed repeats a run. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

type Random = ReturnType<typeof randomFrom>;

/** Bytes at the edges of tags, lengths and numbers, and of what text formats look for. */
const telling = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x1e, 0x1f, 0x20, 0x30,
  0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x86, 0xa0, 0xa3, 0xff, 0x0a, 0x2d, 0x2e, 0x3d, 0x22, 0x7b,
];

type Mutation = (input: Uint8Array, random: Random, pool: readonly Uint8Array[]) => Uint8Array;

const mutations: readonly Mutation[] = [
  (input, random) => changed(input, random, (byte) => byte ^ (1 << random(8))),
  (input, random) => changed(input, random, () => telling[random(telling.length)] ?? 0),
  (input, random) => changed(input, random, (byte) => byte + 1),
  (input, random) => changed(input, random, (byte) => byte - 1),
  (input, random) => input.subarray(0, random(input.length + 1)),
  (input, random) => {
    const [start, end] = range(input, random);
    return joined(input.subarray(0, start), input.subarray(end));
  },
  (input, random) => {
    const [start, end] = range(input, random);
    return joined(input.subarray(0, end), input.subarray(start));
  },
  (input, random) => {
    const at = random(input.length + 1);
    const filling = Uint8Array.from({ length: 1 + random(8) }, () => random(256));
    return joined(input.subarray(0, at), filling, input.subarray(at));
  },
  (input, random, pool) => {
    const other = pool[random(pool.length)] ?? input;
    const [start, end] = range(other, random);
    const [from, to] = range(input, random);
    return joined(input.subarray(0, from), other.subarray(start, end), input.subarray(to));
  },
  (input, random) => {
    const [start, end] = range(input, random);
    const [from, to] = range(input, random);
    return joined(input.subarray(0, from), input.subarray(start, end), input.subarray(to));
  },
];

/** A valid input with one to four things wrong. */
export function mutate(pool: readonly Uint8Array[], random: Random): Uint8Array {
  let input = pool[random(pool.length)] ?? new Uint8Array();
  for (let left = 1 + random(4); left > 0; left--) {
    input = mutations[random(mutations.length)]?.(input, random, pool) ?? input;
  }
  return input;
}

function changed(input: Uint8Array, random: Random, change: (byte: number) => number): Uint8Array {
  if (input.length === 0) return input;
  const copy = new Uint8Array(input);
  const at = random(copy.length);
  copy[at] = change(copy[at] ?? 0);
  return copy;
}

function range(input: Uint8Array, random: Random): [start: number, end: number] {
  const start = random(input.length + 1);
  return [start, Math.min(input.length, start + random(48))];
}

const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
