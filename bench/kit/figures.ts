/** One line of a benchmark's output. */
export function figure(name: string, value: number | string, unit = ''): void {
  const text = typeof value === 'number' ? formatted(value) : value;
  console.log(`  ${name.padEnd(60)} ${text.padStart(10)} ${unit}`);
}

export function title(text: string): void {
  console.log(`\n${text}`);
}

const formatted = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** The value that so many of a hundred stay below. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? NaN;
}
