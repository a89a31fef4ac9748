/** Parameters of Punycode (RFC 3492 §5). */
const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const INITIAL_BIAS = 72;
const INITIAL_CODE_POINT = 128;
const MAX_CODE_POINT = 0x10ffff;

/** Decodes as RFC 3492 §6.2 says; undefined where that ends in an error. */
export function decodePunycode(encoded: string): string | undefined {
  const delimiter = encoded.lastIndexOf('-');
  const output = Array.from(Buffer.from(encoded.slice(0, Math.max(0, delimiter)), 'latin1'));
  let codePoint = INITIAL_CODE_POINT;
  let index = 0;
  let bias = INITIAL_BIAS;
  for (let at = delimiter + 1; at < encoded.length; ) {
    const read = readDelta(encoded, at, bias);
    if (read === undefined) return undefined;
    index += read.delta;
    at = read.next;
    const length = output.length + 1;
    bias = adapt(read.delta, length, output.length === 0 || codePoint === INITIAL_CODE_POINT);
    codePoint += Math.floor(index / length);
    index %= length;
    if (codePoint > MAX_CODE_POINT || isSurrogate(codePoint)) return undefined;
    output.splice(index, 0, codePoint);
    index++;
  }
  return String.fromCodePoint(...output);
}

/** One generalised variable-length integer (RFC 3492 §3.3). */
function readDelta(
  text: string,
  from: number,
  bias: number,
): { delta: number; next: number } | undefined {
  let delta = 0;
  for (let at = from, weight = 1, k = BASE; at < text.length; at++, k += BASE) {
    const digit = digitValue(text.charCodeAt(at));
    if (digit === undefined) return undefined;
    delta += digit * weight;
    if (delta > Number.MAX_SAFE_INTEGER / BASE) return undefined;
    const threshold = Math.min(T_MAX, Math.max(T_MIN, k - bias));
    if (digit < threshold) return { delta, next: at + 1 };
    weight *= BASE - threshold;
  }
  return undefined;
}

function adapt(delta: number, length: number, first: boolean): number {
  let left = Math.floor(delta / (first ? DAMP : 2));
  left += Math.floor(left / length);
  let k = 0;
  for (; left > ((BASE - T_MIN) * T_MAX) / 2; k += BASE) left = Math.floor(left / (BASE - T_MIN));
  return k + Math.floor(((BASE - T_MIN + 1) * left) / (left + SKEW));
}

function digitValue(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 26;
  const letter = (code | 0x20) - 0x61;
  return letter >= 0 && letter < 26 ? letter : undefined;
}

const isSurrogate = (codePoint: number): boolean => codePoint >= 0xd800 && codePoint <= 0xdfff;
