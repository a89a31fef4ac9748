/** From this power of ten on, and below the other, Go prints an exponent. */
const FIRST_LARGE_EXPONENT = 6;
const LAST_SMALL_EXPONENT = -5;

/** A number as Go's Prometheus client writes it: the fewest digits that tell it, `1.5`, `1e+06`, `NaN`, `+Inf`. */
export function goFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return '0';
  const [mantissa = '', power = ''] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent > LAST_SMALL_EXPONENT && exponent < FIRST_LARGE_EXPONENT) return String(value);
  const digits = String(Math.abs(exponent)).padStart(2, '0');
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
}
