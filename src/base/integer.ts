const FORMS: readonly {
  readonly digits: RegExp;
  readonly prefix: string;
  readonly skip: number;
}[] = [
  { digits: /^0[xX](_?[0-9a-fA-F])+$/, prefix: '0x', skip: 2 },
  { digits: /^0[bB](_?[01])+$/, prefix: '0b', skip: 2 },
  { digits: /^0[oO](_?[0-7])+$/, prefix: '0o', skip: 2 },
  { digits: /^0(_?[0-7])+$/, prefix: '0o', skip: 1 },
  { digits: /^[0-9](_?[0-9])*$/, prefix: '', skip: 0 },
];

/** No number of interest is longer. */
const MAX_LENGTH = 128;

/**
 * A whole number as Go's `strconv.ParseInt(text, 0, 64)` reads it: decimal, or with a base prefix (`0x`, `0o`, `0b`,
 * or a leading 0 for octal); underscores may separate digits. What is no number gives Go's reason. Numbers that
 * JavaScript cannot hold exactly are out of range too.
 */
export function parseInteger(text: string): number | 'invalid syntax' | 'value out of range' {
  const negative = text.startsWith('-');
  const unsigned = negative || text.startsWith('+') ? text.slice(1) : text;
  if (unsigned.length > MAX_LENGTH) {
    return /^[0-9_]+$/.test(unsigned) ? 'value out of range' : 'invalid syntax';
  }
  const form = FORMS.find(({ digits }) => digits.test(unsigned));
  if (form === undefined || (form.prefix === '' && /^0./.test(unsigned))) return 'invalid syntax';
  const value = Number(form.prefix + unsigned.slice(form.skip).replaceAll('_', ''));
  if (!Number.isSafeInteger(value)) return 'value out of range';
  return negative && value !== 0 ? -value : value;
}
