import { Fault } from '../../base/fault.ts';
import { oidContent } from './oid.ts';
import { contextTag, explicitTag, Tag } from './tags.ts';
import { timeForm } from './time.ts';

/** One encoded value. */
export type Der = Uint8Array;

/** A member of a constructed value; `false` and `undefined` are left out, as OPTIONAL and DEFAULT are. */
export type DerPart = Der | false | undefined;

export const sequence = (...parts: readonly DerPart[]): Der => constructed(Tag.SEQUENCE, parts);

/** SEQUENCE OF. */
export const sequenceOf = (members: readonly Der[]): Der => constructed(Tag.SEQUENCE, members);

/** SET OF: its members sorted by their encodings (X.690 §11.6). */
export const setOf = (members: readonly Der[]): Der =>
  constructed(
    Tag.SET,
    members.toSorted((a, b) => Buffer.compare(a, b)),
  );

/** `[number] EXPLICIT`, or `[number] IMPLICIT` of a SEQUENCE whose members these are. */
export const explicit = (number: number, ...parts: readonly DerPart[]): Der =>
  constructed(explicitTag(number), parts);

/** `[number] IMPLICIT` of a primitive type with this content. */
export const implicit = (number: number, content: Uint8Array): Der =>
  primitive(contextTag(number), content);

export const boolean = (value: boolean): Der => Uint8Array.of(Tag.BOOLEAN, 1, value ? 0xff : 0x00);

export const nullValue: Der = Uint8Array.of(Tag.NULL, 0);

export const integer = (value: number | bigint): Der =>
  primitive(Tag.INTEGER, integerContent(BigInt(value)));

/** An INTEGER of which the magnitude is given, big-endian. */
export function unsignedInteger(magnitude: Uint8Array): Der {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? Uint8Array.of(0) : magnitude.subarray(start);
  return (digits[0] ?? 0) < 0x80
    ? primitive(Tag.INTEGER, digits)
    : primitive(Tag.INTEGER, join([Uint8Array.of(0), digits]));
}

export const oid = (text: string): Der => primitive(Tag.OBJECT_IDENTIFIER, oidContent(text));

export const octetString = (content: Uint8Array): Der => primitive(Tag.OCTET_STRING, content);

export const bitString = (bytes: Uint8Array): Der =>
  primitive(Tag.BIT_STRING, join([Uint8Array.of(0), bytes]));

/** A BIT STRING with named bits: trailing zero bits are not written (X.690 §11.2.2). */
export function namedBits(bits: readonly number[]): Der {
  if (bits.length === 0) return primitive(Tag.BIT_STRING, Uint8Array.of(0));
  const count = Math.max(...bits) + 1;
  const content = new Uint8Array(1 + Math.ceil(count / 8));
  content[0] = (8 - (count % 8)) % 8;
  for (const bit of bits) {
    const at = 1 + (bit >> 3);
    content[at] = (content[at] ?? 0) | (0x80 >> (bit & 7));
  }
  return primitive(Tag.BIT_STRING, content);
}

/** A character string type, whose characters the caller has checked. */
export const characterString = (tag: number, text: string): Der =>
  primitive(tag, Buffer.from(text, 'utf8'));

/** A Time of RFC 5280 §4.1.2.5, whole seconds. */
export function time(unixSeconds: number): Der {
  const { tag, text } = timeForm(unixSeconds);
  return characterString(tag, text);
}

export function constructed(tag: number, parts: readonly DerPart[]): Der {
  let length = 0;
  for (const part of parts) if (part instanceof Uint8Array) length += part.length;
  const { bytes, start } = header(tag, length);
  let at = start;
  for (const part of parts) {
    if (!(part instanceof Uint8Array)) continue;
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function primitive(tag: number, content: Uint8Array): Der {
  const { bytes, start } = header(tag, content.length);
  bytes.set(content, start);
  return bytes;
}

/** Room for a value of that length, its tag and length written (X.690 §10.1: the fewest bytes). */
function header(tag: number, length: number): { bytes: Uint8Array; start: number } {
  const lengthBytes = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 3;
  if (length >= 0x100_0000) throw new Fault('invalid', 'asn1: value too large');
  const start = 2 + lengthBytes;
  const bytes = new Uint8Array(start + length);
  bytes[0] = tag;
  bytes[1] = lengthBytes === 0 ? length : 0x80 | lengthBytes;
  for (let i = 0; i < lengthBytes; i++) bytes[start - 1 - i] = (length >>> (8 * i)) & 0xff;
  return { bytes, start };
}

/** The shortest two's complement form (X.690 §8.3). */
function integerContent(value: bigint): Uint8Array {
  const magnitude = (value < 0n ? ~value : value).toString(16);
  // One bit for the sign: a first digit of 8 or more needs half a byte before it.
  const signed =
    Number.parseInt(magnitude.charAt(0), 16) >= 8 ? magnitude.length + 1 : magnitude.length;
  const bytes = Math.ceil(signed / 2);
  const digits = BigInt.asUintN(bytes * 8, value)
    .toString(16)
    .padStart(bytes * 2, '0');
  return Buffer.from(digits, 'hex');
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
