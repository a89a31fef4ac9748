import assert from 'node:assert/strict';

/** A series as the fixtures list it: name, kind, label names. */
export type SeriesShape = { readonly kind: string; readonly labels: string };

/** The series of a scrape in Prometheus' text format, by name; every line must be of it. */
export function seriesOf(exposition: string): Map<string, SeriesShape> {
  const kinds = new Map<string, string>();
  const series = new Map<string, SeriesShape>();
  for (const line of exposition.split('\n')) {
    const type = /^# TYPE (\S+) (counter|gauge|summary)$/.exec(line);
    if (type?.[1] !== undefined && type[2] !== undefined) kinds.set(type[1], type[2]);
    if (line === '' || line.startsWith('#')) continue;
    const sample = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`);
    const name = familyOf(sample[1] ?? '', kinds);
    const kind = kinds.get(name) ?? assert.fail(`of no type: ${line}`);
    const labels = [...(sample[2] ?? '').matchAll(/([A-Za-z_]\w*)="/g)]
      .map(([, label]) => label ?? '')
      .filter((label) => label !== 'quantile')
      .toSorted()
      .join();
    const known = series.get(name);
    if (known !== undefined) assert.equal(labels, known.labels, name);
    series.set(name, { kind, labels });
  }
  return series;
}

const SAMPLE =
  /^([A-Za-z_:][\w:]*)(?:\{([A-Za-z_]\w*="[^"\\]*"(?:,[A-Za-z_]\w*="[^"\\]*")*)\})? (?:NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/;

function familyOf(name: string, kinds: ReadonlyMap<string, string>): string {
  const family = name.replace(/_(?:sum|count)$/, '');
  return kinds.get(family) === 'summary' ? family : name;
}

/** A fixture's lines, `name kind {label,label}`. */
export const recordedSeries = (text: string): Map<string, SeriesShape> =>
  new Map(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const [name = '', kind = '', labels = ''] = line.split(' ');
        return [name, { kind, labels: labels.replace(/[{}]/g, '') }];
      }),
  );
