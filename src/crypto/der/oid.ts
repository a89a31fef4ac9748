import { Fault } from '../../base/fault.ts';

/** The longest that is in use has some twenty; a hostile one must not become a long text. */
const MAX_OID_BYTES = 128;

/** The dotted form of an OBJECT IDENTIFIER's content (X.690 §8.19). Arcs stay under 2³¹, as Go reads them. */
export function oidText(content: Uint8Array): string {
  if (content.length === 0 || content.length > MAX_OID_BYTES) {
    throw new Fault('invalid', 'asn1: syntax error: object identifier of a wrong length');
  }
  const arcs: number[] = [];
  let arc = 0;
  let started = false;
  for (const byte of content) {
    if (!started && byte === 0x80) throw notMinimal();
    arc = arc * 128 + (byte & 0x7f);
    if (arc > 0x7fff_ffff) {
      throw new Fault('invalid', 'asn1: structure error: base 128 integer too large');
    }
    started = byte >= 0x80;
    if (!started) {
      arcs.push(arc);
      arc = 0;
    }
  }
  if (started) throw new Fault('invalid', 'asn1: syntax error: truncated base 128 integer');
  const [head = 0, ...rest] = arcs;
  const first = Math.min(Math.floor(head / 40), 2);
  return [first, head - first * 40, ...rest].join('.');
}

/** The content octets of a dotted OID. */
export function oidContent(text: string): Uint8Array {
  if (!/^[0-2](\.(0|[1-9]\d{0,9}))+$/.test(text)) throw malformed(text);
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  if (first < 2 && second > 39) throw malformed(text);
  return Uint8Array.from([first * 40 + second, ...rest].flatMap(base128));
}

const notMinimal = (): Fault =>
  new Fault('invalid', 'asn1: syntax error: integer is not minimally encoded');

const malformed = (text: string): Fault =>
  new Fault('invalid', `malformed object identifier "${text}"`);

function base128(arc: number): number[] {
  const septets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    septets.unshift((rest % 128) | 0x80);
  }
  return septets;
}
