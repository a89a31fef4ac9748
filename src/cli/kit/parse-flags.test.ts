import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flag } from './flag.ts';
import { outputFlag } from './output-flag.ts';
import { HelpRequested, parseFlags } from './parse-flags.ts';

const flags = {
  name: flag.string('a text', 'x'),
  n: flag.int('a number', 7n),
  ttl: flag.duration('a duration'),
  timeout: flag.durationValue('a duration that names its mistakes', 5_000_000_000n),
  admin: flag.bool('yes or no'),
  include: flag.presence('only ever yes'),
  selector: flag.strings('texts'),
  audience: flag.commaStrings('texts in one'),
  banned: flag.triState('yes, no or either'),
  output: outputFlag,
  format: flag.aliasOf('output', 'the same'),
};

test('without arguments every flag has its default', () => {
  assert.deepEqual(parseFlags(flags, []), {
    name: 'x',
    n: 7n,
    ttl: 0n,
    timeout: 5_000_000_000n,
    admin: false,
    include: false,
    selector: [],
    audience: [],
    banned: undefined,
    output: undefined,
  });
});

const readings: readonly [args: string[], expected: Record<string, unknown>][] = [
  [['-name', 'v'], { name: 'v' }],
  [['-name=v'], { name: 'v' }],
  [['--name', 'v'], { name: 'v' }],
  [['--name=v=w'], { name: 'v=w' }],
  [['-name', '-admin'], { name: '-admin', admin: false }],
  [['-name', '--'], { name: '--' }],
  [['-name='], { name: '' }],
  [['-name', 'a', '-name', 'b'], { name: 'b' }],
  [['-n', '0x10'], { n: 16n }],
  [['-n', '0o17'], { n: 15n }],
  [['-n', '017'], { n: 15n }],
  [['-n', '0b101'], { n: 5n }],
  [['-n', '1_000'], { n: 1000n }],
  [['-n', '-9223372036854775808'], { n: -9223372036854775808n }],
  [['-n', '+5'], { n: 5n }],
  [['-ttl', '1h2.5s'], { ttl: 3_602_500_000_000n }],
  [['-ttl', '0'], { ttl: 0n }],
  [['-timeout', '-1s'], { timeout: -1_000_000_000n }],
  [['-admin'], { admin: true }],
  [['-admin', 'false', '-name', 'v'], { admin: true, name: 'x' }],
  [['-admin=f'], { admin: false }],
  [['-admin=TRUE'], { admin: true }],
  [['-include=false'], { include: true }],
  [['-selector', 'a,b', '-selector', 'c'], { selector: ['a,b', 'c'] }],
  [['-audience', 'a, b', '-audience', 'c,d'], { audience: ['c', 'd'] }],
  [['-audience', ''], { audience: [''] }],
  [['-banned', 'true'], { banned: true }],
  [['-banned=false'], { banned: false }],
  [['-banned', 'false', '-banned', 'perhaps'], { banned: undefined }],
  [['-output', 'JSON'], { output: 'json' }],
  [['-output', 'PrettyPrint'], { output: 'pretty' }],
  [['-output', 'json', '-output', 'json'], { output: 'json' }],
  [['-format', 'json'], { output: 'json' }],
  [['positional', '-name', 'v'], { name: 'x' }],
  [['-', '-name', 'v'], { name: 'x' }],
  [['--', '-name', 'v'], { name: 'x' }],
  [['', '-name', 'v'], { name: 'x' }],
];
for (const [args, expected] of readings) {
  test(`reads ${args.join(' ')}`, () => {
    const values: Record<string, unknown> = parseFlags(flags, args);
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(values[name], value);
  });
}

const refusals: readonly [args: string[], message: string][] = [
  [['-nosuch'], 'flag provided but not defined: -nosuch'],
  [['-Name', 'v'], 'flag provided but not defined: -Name'],
  [['--nosuch=1'], 'flag provided but not defined: -nosuch'],
  [['-constructor'], 'flag provided but not defined: -constructor'],
  [['-n'], 'flag needs an argument: -n'],
  [['-banned'], 'flag needs an argument: -banned'],
  [['-n', 'abc'], 'invalid value "abc" for flag -n: parse error'],
  [['-n', ''], 'invalid value "" for flag -n: parse error'],
  [['-n', '1__0'], 'invalid value "1__0" for flag -n: parse error'],
  [['-n', '09'], 'invalid value "09" for flag -n: parse error'],
  [['-n', `0${'7'.repeat(60)}9`], `invalid value "0${'7'.repeat(60)}9" for flag -n: parse error`],
  [
    ['-n', '9223372036854775808'],
    'invalid value "9223372036854775808" for flag -n: value out of range',
  ],
  [['-ttl', '10'], 'invalid value "10" for flag -ttl: parse error'],
  [['-timeout', 'x'], 'invalid value "x" for flag -timeout: time: invalid duration "x"'],
  [['-admin=perhaps'], 'invalid boolean value "perhaps" for -admin: parse error'],
  [['-admin='], 'invalid boolean value "" for -admin: parse error'],
  [['-=x'], 'bad flag syntax: -=x'],
  [['---name'], 'bad flag syntax: ---name'],
  [
    ['-output', 'yaml'],
    'invalid value "yaml" for flag -output: bad formatter flag: unknown format option: "yaml"',
  ],
  [
    ['-output', 'json', '-output', 'pretty'],
    'invalid value "pretty" for flag -output: the output format has already been set to "json"',
  ],
  [
    ['-output', 'JSON', '-output', 'JSON'],
    'invalid value "JSON" for flag -output: the output format has already been set to "json"',
  ],
  [
    ['-output', 'json', '-format', 'pretty'],
    'invalid value "pretty" for flag -format: the output format has already been set to "json"',
  ],
];
for (const [args, message] of refusals) {
  test(`refuses ${args.join(' ').slice(0, 40)}`, () => {
    assert.throws(() => parseFlags(flags, args), { name: 'Fault', kind: 'invalid', message });
  });
}

test('help is no unknown flag', () => {
  for (const argument of ['-h=1', '--help=x']) {
    assert.throws(() => parseFlags(flags, [argument]), HelpRequested);
  }
});
