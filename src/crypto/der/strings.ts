import { isAscii } from 'node:buffer';
import { Fault } from '../../base/fault.ts';
import { readWhole } from './reader.ts';
import { Tag } from './tags.ts';

/** PrintableString (X.680 §41.4), the characters that Go writes so. */
export const isPrintable = (text: string): boolean => /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text);

type CharacterString = {
  readonly name: string;
  readonly decode: (content: Buffer) => string;
  readonly allowed: (text: string, content: Buffer) => boolean;
};

const latin1 = (content: Buffer): string => content.toString('latin1');

/** The character string types of names and what they may hold. `*` and `&` are let pass in PrintableStrings, as Go does. */
const characterStrings: ReadonlyMap<number, CharacterString> = new Map([
  [
    Tag.PRINTABLE_STRING,
    {
      name: 'PrintableString',
      decode: latin1,
      allowed: (text) => /^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(text),
    },
  ],
  [
    Tag.UTF8_STRING,
    {
      name: 'UTF8String',
      decode: (content) => content.toString('utf8'),
      allowed: (text, content) => Buffer.from(text, 'utf8').equals(content),
    },
  ],
  [
    Tag.IA5_STRING,
    { name: 'IA5String', decode: latin1, allowed: (_, content) => isAscii(content) },
  ],
  [
    Tag.NUMERIC_STRING,
    { name: 'NumericString', decode: latin1, allowed: (text) => /^[0-9 ]*$/.test(text) },
  ],
  [Tag.T61_STRING, { name: 'T61String', decode: latin1, allowed: () => true }],
  [
    Tag.BMP_STRING,
    {
      name: 'BMPString',
      decode: (content) =>
        Buffer.from(content.subarray(0, content.length & ~1))
          .swap16()
          .toString('utf16le'),
      allowed: (text, content) => content.length % 2 === 0 && text.isWellFormed(),
    },
  ],
] satisfies [number, CharacterString][]);

/** The text of a character string's DER, undefined if it is of another type. Throws 'invalid' if it breaks its type's rules. */
export function readCharacterString(tag: number, der: Uint8Array): string | undefined {
  const type = characterStrings.get(tag);
  if (type === undefined) return undefined;
  const content = Buffer.from(readWhole(der, (r) => r.content(tag)));
  const text = type.decode(content);
  if (!type.allowed(text, content)) throw new Fault('invalid', `x509: invalid ${type.name}`);
  return text;
}

/** The text of an IA5String's content, of whatever tag. */
export function ia5Text(content: Uint8Array, what: string): string {
  if (!isAscii(content)) throw new Fault('invalid', `x509: ${what} is malformed`);
  return Buffer.from(content).toString('latin1');
}
