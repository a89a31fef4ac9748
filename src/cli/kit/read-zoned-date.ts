import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';

/** What `-expiresBefore` must look like, in the way that Go writes layouts. */
const LAYOUT = '2006-01-02 15:04:05 -0700 -07';

/** The layout's parts: what to expect, what Go calls it, and the range of its value. */
type Part = {
  readonly form: RegExp;
  readonly sample: string;
  readonly range?: readonly [name: string, least: number, most: number];
};

const PARTS: readonly Part[] = [
  { form: /^\d{4}/, sample: '2006' },
  { form: /^-/, sample: '-' },
  { form: /^\d\d/, sample: '01', range: ['month', 1, 12] },
  { form: /^-/, sample: '-' },
  { form: /^\d\d/, sample: '02', range: ['day', 1, 31] },
  { form: /^ */, sample: ' ' },
  { form: /^\d\d?/, sample: '15', range: ['hour', 0, 23] },
  { form: /^:/, sample: ':' },
  { form: /^\d\d/, sample: '04', range: ['minute', 0, 59] },
  { form: /^:/, sample: ':' },
  { form: /^\d\d(?:[.,]\d+)?/, sample: '05', range: ['second', 0, 59] },
  { form: /^ */, sample: ' ' },
  { form: /^[+-](?:[01]\d|2[0-4])[0-5]\d/, sample: '-0700' },
  { form: /^ */, sample: ' ' },
  { form: /^[+-](?:[01]\d|2[0-4])/, sample: '-07' },
];

/** Checks a date as Go's `time.Parse` does. Throws 'invalid' with its words. */
export function checkZonedDate(text: string): void {
  const fail = (why: string): Fault => new Fault('invalid', `parsing time ${goQuote(text)}${why}`);
  const values: number[] = [];
  let rest = text;
  for (const { form, sample, range } of PARTS) {
    const found = form.exec(rest)?.[0];
    if (found === undefined) {
      throw fail(` as ${goQuote(LAYOUT)}: cannot parse ${goQuote(rest)} as ${goQuote(sample)}`);
    }
    const value = Number.parseInt(found, 10);
    values.push(value);
    if (range !== undefined && (value < range[1] || value > range[2])) {
      throw fail(`: ${range[0]} out of range`);
    }
    rest = rest.slice(found.length);
  }
  if (rest !== '') throw fail(`: extra text: ${goQuote(rest)}`);
  const [year = 0, , month = 0, , day = 0] = values;
  if (day > daysIn(year, month)) throw fail(': day out of range');
}

const daysIn = (year: number, month: number): number =>
  new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
