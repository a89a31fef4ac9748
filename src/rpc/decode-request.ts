import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { Fault, reasonOf } from '../base/fault.ts';

/** Shorter ones cost nobody more than a few milliseconds. */
const FREE_BYTES = 16 * 1024;
/**
 * What the parts of a message cost, in bytes of memory that they take, roughly, by the eighth. Two bytes on the wire
 * can be an empty message, which takes us half a microsecond and three hundred bytes; what is real has text in it.
 */
const COST = { message: 24, field: 4 };
/** So much may be made of one byte, over all. */
const MAX_COST_PER_BYTE = 2;
const MAX_COST_OF_SMALL = 256 * 1024;
/** protobuf's own limit. */
const MAX_DEPTH = 100;

/**
 * The message of those bytes; what its schema does not know is passed over. Throws 'internal' in grpc-go's words for
 * what is malformed, and 'exhausted' for what would cost far more to hold than it cost to send.
 */
export function decodeRequest<S extends DescMessage>(
  schema: S,
  bytes: Uint8Array,
): MessageShape<S> {
  try {
    if (bytes.length > FREE_BYTES) checkCost(schema, bytes);
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('internal', `grpc: error unmarshalling request: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function checkCost(schema: DescMessage, bytes: Uint8Array): void {
  const purse = { left: MAX_COST_OF_SMALL + bytes.length * MAX_COST_PER_BYTE };
  walk(new BinaryReader(bytes), partsOf(schema), bytes.length, purse, MAX_DEPTH);
}

function walk(
  reader: BinaryReader,
  parts: Parts,
  end: number,
  purse: { left: number },
  depth: number,
): void {
  if (depth === 0) throw new Error('maximum recursion depth reached');
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const inner = wireType === WireType.LengthDelimited ? parts.get(number) : undefined;
    purse.left -= inner === undefined ? COST.field : COST.message;
    if (purse.left < 0) throw new Fault('exhausted', 'the request has too many parts for its size');
    if (inner === undefined) {
      reader.skip(wireType, number);
      continue;
    }
    const innerEnd = reader.uint32() + reader.pos;
    if (innerEnd > end) throw new RangeError('premature EOF');
    walk(reader, inner(), innerEnd, purse, depth - 1);
  }
}

/** The fields of a message that hold messages, by number, with what is in those. */
type Parts = ReadonlyMap<number, () => Parts>;
const known = new WeakMap<DescMessage, Parts>();

function partsOf(schema: DescMessage): Parts {
  const remembered = known.get(schema);
  if (remembered !== undefined) return remembered;
  const parts: Parts = new Map(
    schema.fields.flatMap((field) => {
      const { message } = field;
      const inner = message && (() => partsOf(message));
      if (field.fieldKind === 'map') {
        const entry: Parts = new Map(inner && [[MAP_VALUE, inner]]);
        return [[field.number, () => entry] as const];
      }
      return inner === undefined ? [] : [[field.number, inner] as const];
    }),
  );
  known.set(schema, parts);
  return parts;
}

/** A map is a list of messages of a key and a value. */
const MAP_VALUE = 2;
