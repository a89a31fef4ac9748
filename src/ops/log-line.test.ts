import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields } from './log.ts';
import { formatForTerminal, formatLine } from './log-line.ts';

const milliseconds = Date.UTC(2026, 2, 1, 10, 0, 0, 120);
const record = (message: string, fields: LogFields = {}) =>
  ({ milliseconds, level: 'info', message, fields }) as const;

/** The part after the level, so that the zone the test runs in does not matter. */
const afterLevel = (line: string): string => line.replace(/^time="[^"]*" level=info /, '');

const texts: readonly (readonly [string, string, LogFields, string])[] = [
  ['one word stays bare', 'Testing', {}, 'msg=Testing'],
  ['several words are quoted', 'two words', {}, 'msg="two words"'],
  ['these characters need no quotes', 'm', { a: 'aZ0-._/@^+' }, 'msg=m a=aZ0-._/@^+'],
  ['an ID is quoted for its colon', 'm', { id: 'spiffe://a/b' }, 'msg=m id="spiffe://a/b"'],
  ['nothing at all is not quoted', 'm', { a: '' }, 'msg=m a='],
  [
    'quotes, line ends and invisible characters are escaped',
    'q "x"\n',
    { a: '\u2028\x7f' },
    'msg="q \\"x\\"\\n" a="\\u2028\\x7f"',
  ],
  ['other scripts are not', 'm', { a: 'é日本' }, 'msg=m a="é日本"'],
  ['fields are sorted bytewise', 'm', { b: 1, a: 2, _: 3, Z: 4 }, 'msg=m Z=4 _=3 a=2 b=1'],
  ['numbers and bools stay bare', 'm', { a: 1.5, b: true, c: 12n }, 'msg=m a=1.5 b=true c=12'],
  [
    'an error is its text',
    'm',
    { error: new Error('no such thing') },
    'msg=m error="no such thing"',
  ],
  ['an undefined field is left out', 'm', { a: undefined }, 'msg=m'],
  [
    'a field may not hide one of the line',
    'm',
    { level: 1, msg: 2, time: 3 },
    'msg=m fields.level=1 fields.msg=2 fields.time=3',
  ],
];
for (const [what, message, fields, expected] of texts) {
  test(`text: ${what}`, () => {
    assert.equal(afterLevel(formatLine(record(message, fields), '')), `${expected}\n`);
  });
}

const jsons: readonly (readonly [string, string, LogFields, string])[] = [
  ['members are sorted', 'm', { z: 1, a: 2 }, '{"a":2,"level":"info","msg":"m","time":"T","z":1}'],
  [
    'what HTML could misread is escaped',
    '<&>\u2028',
    {},
    '{"level":"info","msg":"\\u003c\\u0026\\u003e\\u2028","time":"T"}',
  ],
  [
    'values keep their types',
    'm',
    { a: true, b: 12n, c: 'x', e: new Error('boom') },
    '{"a":true,"b":12,"c":"x","e":"boom","level":"info","msg":"m","time":"T"}',
  ],
  [
    'what JSON has no number for is a text',
    'm',
    { a: Number.NaN },
    '{"a":"NaN","level":"info","msg":"m","time":"T"}',
  ],
  [
    'a field may not hide one of the line',
    'm',
    { msg: 'x' },
    '{"fields.msg":"x","level":"info","msg":"m","time":"T"}',
  ],
];
for (const [what, message, fields, expected] of jsons) {
  test(`JSON: ${what}`, () => {
    const line = formatLine(record(message, fields), 'json').replace(
      /"time":"[^"]*"/,
      '"time":"T"',
    );
    assert.equal(line, `${expected}\n`);
  });
}

for (const [format, pattern] of [
  ['', /^time="2026-03-0[12]T\d\d:\d\d:00(Z|[+-]\d\d:\d\d)" /],
  ['text', /^time="2026-03-0[12]T\d\d:\d\d:00\.12(Z|[+-]\d\d:\d\d)" /],
  ['json', /"time":"2026-03-0[12]T\d\d:\d\d:00\.12(Z|[+-]\d\d:\d\d)"\}\n$/],
] as const) {
  test(`the time in format "${format}"`, () => {
    assert.match(formatLine(record('m'), format), pattern);
  });
}

test('a terminal gets colours, seconds since the start and the message in a column', () => {
  const line = formatForTerminal(
    { milliseconds: 65_500, level: 'warning', message: 'words\n', fields: { b: 'x y', a: 1 } },
    3_000,
  );
  assert.equal(
    line,
    `\x1b[33mWARN\x1b[0m[0062] ${'words'.padEnd(44)}  \x1b[33ma\x1b[0m=1 \x1b[33mb\x1b[0m="x y"\n`,
  );
});

test('what is longer than anybody would read is cut, in both forms', () => {
  const long = 'x'.repeat(16 * 1024);
  for (const format of ['text', 'json'] as const) {
    assert.ok(!formatLine(record('m', { a: long }), format).includes('more'));
    for (const value of [`${long}yy`, new Error(`${long}yy`)]) {
      const line = formatLine(record('m', { a: value }), format);
      assert.match(line, /x… \(2 more characters\)"/);
      assert.ok(!line.includes('y'));
    }
  }
});
