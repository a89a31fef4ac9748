import { Fault } from '../../base/fault.ts';
import { hexText } from './hex.ts';
import { oidText } from './oid.ts';
import { contextTag, explicitTag, Tag } from './tags.ts';
import { readGeneralizedTime, readUtcTime } from './time.ts';

/** Nothing we read nests deeper; hostile input must not cost us the stack. */
export const MAX_DER_DEPTH = 32;

/** Room for an RSA-16384 modulus; what is larger is not a number that we use. */
const MAX_INTEGER_BYTES = 2049;

/** What is broken in the encoding itself. The words are those of Go's `encoding/asn1`, which users know. */
export const syntaxError = (what: string): Fault =>
  new Fault('invalid', `asn1: syntax error: ${what}`);

/** Well encoded, but not what the grammar has here, or not its one DER form. */
export const structureError = (what: string): Fault =>
  new Fault('invalid', `asn1: structure error: ${what}`);

/** Reads one value that fills the bytes; refuses what follows it. */
export function readWhole<T>(der: Uint8Array, read: (reader: DerReader) => T): T {
  const reader = DerReader.over(der);
  const value = read(reader);
  reader.end();
  return value;
}

/**
 * Reads DER (X.690 §10) in the order of the grammar: one pass, no look further than the next tag. Accepts one encoding
 * only; throws 'invalid' at the first byte that is not it. What it returns are views of the input, which must not change.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  #at: number;

  private constructor(bytes: Uint8Array, start: number, end: number, depth: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#depth = depth;
  }

  static over(der: Uint8Array): DerReader {
    // A Buffer's views would be Buffers; ours are always plain.
    const plain = new Uint8Array(der.buffer, der.byteOffset, der.length);
    return new DerReader(plain, 0, plain.length, 0);
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** The tag of the next value, undefined at the end. */
  get nextTag(): number | undefined {
    return this.atEnd ? undefined : this.#bytes[this.#at];
  }

  end(): void {
    if (!this.atEnd) throw syntaxError('trailing data');
  }

  /** The content of the next value, which must have that tag. */
  content(tag: number): Uint8Array {
    const start = this.#open(tag);
    return this.#bytes.subarray(start, this.#at);
  }

  /** The next value whole, tag and length included. */
  element(tag?: number): Uint8Array {
    const start = this.#at;
    this.#open(tag);
    return this.#bytes.subarray(start, this.#at);
  }

  sequence<T>(read: (reader: DerReader) => T): T {
    return this.constructed(Tag.SEQUENCE, read);
  }

  set<T>(read: (reader: DerReader) => T): T {
    return this.constructed(Tag.SET, read);
  }

  /** `[number] EXPLICIT`, or undefined if the next value is something else. */
  explicit<T>(number: number, read: (reader: DerReader) => T): T | undefined {
    const tag = explicitTag(number);
    return this.nextTag === tag ? this.constructed(tag, read) : undefined;
  }

  /** The content of a primitive `[number] IMPLICIT`, or undefined if the next value is something else. */
  implicit(number: number): Uint8Array | undefined {
    const tag = contextTag(number);
    return this.nextTag === tag ? this.content(tag) : undefined;
  }

  /** Descends into a constructed value and refuses what `read` leaves of it. */
  constructed<T>(tag: number, read: (reader: DerReader) => T): T {
    if (this.#depth >= MAX_DER_DEPTH) throw structureError('nested too deeply');
    const start = this.#open(tag);
    const inner = new DerReader(this.#bytes, start, this.#at, this.#depth + 1);
    const value = read(inner);
    inner.end();
    return value;
  }

  /** All values up to the end. */
  many<T>(read: (reader: DerReader) => T): T[] {
    const values: T[] = [];
    while (!this.atEnd) values.push(read(this));
    return values;
  }

  boolean(): boolean {
    const content = this.content(Tag.BOOLEAN);
    if (content.length !== 1 || (content[0] !== 0x00 && content[0] !== 0xff)) {
      throw syntaxError('invalid boolean');
    }
    return content[0] === 0xff;
  }

  /** The two's complement bytes of an INTEGER, as short as they can be (X.690 §8.3.2). */
  integerBytes(): Uint8Array {
    const content = this.content(Tag.INTEGER);
    const [first, second] = content;
    if (first === undefined) throw structureError('empty integer');
    if (content.length > MAX_INTEGER_BYTES) throw structureError('integer too large');
    if (second !== undefined) {
      const redundant = (first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80);
      if (redundant) throw structureError('integer not minimally-encoded');
    }
    return content;
  }

  integer(): bigint {
    const bytes = this.integerBytes();
    const magnitude = unsigned(bytes);
    return (bytes[0] ?? 0) < 0x80 ? magnitude : magnitude - (1n << BigInt(bytes.length * 8));
  }

  /** An INTEGER from 0 to 2³¹ - 1: versions, path lengths, exponents. */
  smallInteger(): number {
    const bytes = this.integerBytes();
    if (bytes.length > 4 || (bytes[0] ?? 0) >= 0x80) throw structureError('integer out of range');
    return bytes.reduce((value, byte) => value * 256 + byte, 0);
  }

  oid(): string {
    return oidText(this.content(Tag.OBJECT_IDENTIFIER));
  }

  octetString(): Uint8Array {
    return this.content(Tag.OCTET_STRING);
  }

  /** A BIT STRING of whole bytes. */
  bitString(): Uint8Array {
    const { bytes, unusedBits } = this.bits();
    if (unusedBits !== 0) throw syntaxError('invalid padding bits in BIT STRING');
    return bytes;
  }

  /** A BIT STRING of any length; the unused bits are zero (X.690 §11.2.1). */
  bits(): { readonly bytes: Uint8Array; readonly unusedBits: number } {
    const content = this.content(Tag.BIT_STRING);
    const unusedBits = content[0];
    if (unusedBits === undefined) throw syntaxError('zero length BIT STRING');
    const last = content.length > 1 ? (content.at(-1) ?? 0) : 0;
    const padding = (1 << unusedBits) - 1;
    if (unusedBits > 7 || (content.length === 1 && unusedBits > 0) || (last & padding) !== 0) {
      throw syntaxError('invalid padding bits in BIT STRING');
    }
    return { bytes: content.subarray(1), unusedBits };
  }

  null(): void {
    if (this.content(Tag.NULL).length !== 0) throw syntaxError('invalid null');
  }

  /** A Time of RFC 5280 §4.1.2.5, in Unix seconds. */
  time(): number {
    return this.nextTag === Tag.GENERALIZED_TIME
      ? readGeneralizedTime(this.content(Tag.GENERALIZED_TIME))
      : readUtcTime(this.content(Tag.UTC_TIME));
  }

  /** Steps over the next value and returns where its content starts; it ends where the reader then stands. */
  #open(expected?: number): number {
    if (this.#at === this.#end) throw syntaxError('sequence truncated');
    const tag = this.#byte();
    if (expected !== undefined && tag !== expected) {
      throw structureError(`tags don't match (expected ${hex(expected)}, got ${hex(tag)})`);
    }
    if ((tag & 0x1f) === 0x1f) throw structureError('high tag numbers are not used');
    const length = this.#length();
    const start = this.#at;
    if (length > this.#end - start) throw syntaxError('data truncated');
    this.#at = start + length;
    return start;
  }

  /** X.690 §8.1.3 and §10.1: definite, in the fewest bytes. */
  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0) throw syntaxError('indefinite length found (not DER)');
    if (count > 4) throw structureError('length too large');
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw structureError('non-minimal length');
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined || this.#at >= this.#end) throw syntaxError('truncated tag or length');
    this.#at++;
    return byte;
  }
}

/** The number that big-endian bytes stand for. */
export const unsigned = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(`0x${hexText(bytes)}`);

const hex = (tag: number): string => `0x${tag.toString(16).padStart(2, '0')}`;
