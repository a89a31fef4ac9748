import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpiffeId } from './spiffe-id.ts';
import { TrustDomain } from './trust-domain.ts';

/** The texts of the reference parser (standards §1), by their names there. */
const texts = {
  empty: 'cannot be empty',
  scheme: 'scheme is missing or invalid',
  'missing TD': 'trust domain is missing',
  'TD char':
    'trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  'path char':
    'path segment characters are limited to letters, numbers, dots, dashes, and underscores',
  'no slash': 'path must have a leading slash',
  'empty segment': 'path cannot contain empty segments',
  'dot segment': 'path cannot contain dot segments',
  trailing: 'path cannot have a trailing slash',
} as const;
type Refusal = keyof typeof texts;

const fault = (name: Refusal) => ({ name: 'Fault', kind: 'invalid', message: texts[name] });
const trustDomain = TrustDomain.parse('trustdomain');

const accepted: [rule: string, input: string, path: string][] = [
  ['ID-1', 'spiffe://trustdomain', ''],
  ['ID-1', 'spiffe://trustdomain/path', '/path'],
  ['ID-1', 'spiffe://trustdomain/path/element', '/path/element'],
  ['ID-10', 'spiffe://trustdomain/.path', '/.path'],
  ['ID-10', 'spiffe://trustdomain/..path', '/..path'],
  ['ID-10', 'spiffe://trustdomain/...', '/...'],
  ['ID-12', 'spiffe://foo.test/A', '/A'],
  ['ID-12', 'spiffe://foo.test/sub/C', '/sub/C'],
  ['ID-8', 'spiffe://10.0.0.1/path', '/path'],
  ['ID-6', 'spiffe://a-b_c.d9/path', '/path'],
];
for (const [rule, input, path] of accepted) {
  test(`${rule}: accepts "${input}"`, () => {
    const id = SpiffeId.parse(input);
    assert.equal(id.toString(), input);
    assert.equal(id.path, path);
  });
}

const refused: [rule: string, input: string, refusal: Refusal][] = [
  ['ID-1', '', 'empty'],
  ['ID-2', 's', 'scheme'],
  ['ID-2', 'spiffe:/', 'scheme'],
  ['ID-2', 'Spiffe://', 'scheme'],
  ['ID-2', 'other://whocares', 'scheme'],
  ['ID-2', 'invalid subject', 'scheme'],
  ['ID-15 (the reference compares the scheme as it is)', 'SPIFFE://trustdomain/path', 'scheme'],
  ['ID-3', 'spiffe://', 'missing TD'],
  ['ID-3', 'spiffe:///', 'missing TD'],
  ['ID-3', 'spiffe:///path', 'missing TD'],
  ['ID-11', 'spiffe://trustdomain/', 'trailing'],
  ['ID-11', 'spiffe://trustdomain/path/', 'trailing'],
  ['ID-10', 'spiffe://trustdomain//', 'empty segment'],
  ['ID-10', 'spiffe://trustdomain//path', 'empty segment'],
  ['ID-10', 'spiffe://trustdomain/.', 'dot segment'],
  ['ID-10', 'spiffe://trustdomain/./path', 'dot segment'],
  ['ID-10', 'spiffe://trustdomain/path/./other', 'dot segment'],
  ['ID-10', 'spiffe://trustdomain/..', 'dot segment'],
  ['ID-10', 'spiffe://trustdomain/path/..', 'dot segment'],
  ['ID-10', 'spiffe://trustdomain/../path', 'dot segment'],
  ['ID-10', 'spiffe://trustdomain/path/../other', 'dot segment'],
  ['ID-7', 'spiffe://%F0%9F%A4%AF/path', 'TD char'],
  ['ID-7', 'spiffe://%62%61%64/path', 'TD char'],
  ['ID-9', 'spiffe://trustdomain/%F0%9F%A4%AF', 'path char'],
  ['ID-9', 'spiffe://trustdomain/%62%61%64', 'path char'],
  ['ID-6', 'spiffe://trust$domain', 'TD char'],
  ['ID-12', 'spiffe://trustdomain/path$', 'path char'],
  ['ID-6', 'spiffe://Trustdomain/path', 'TD char'],
  ['ID-5', 'spiffe://user@td/p', 'TD char'],
  ['ID-5', 'spiffe://td:80/p', 'TD char'],
  ['ID-4', 'spiffe://td/p?q', 'path char'],
  ['ID-4', 'spiffe://td/p#f', 'path char'],
  ['ID-8', 'spiffe://[::1]/path', 'TD char'],
];
for (const [rule, input, refusal] of refused) {
  test(`${rule}: refuses "${input}": ${refusal}`, () => {
    assert.throws(() => SpiffeId.parse(input), fault(refusal));
  });
}

test('ID-13: accepts an ID of exactly 2048 bytes', () => {
  const text = `spiffe://trustdomain/${'p'.repeat(2048 - 'spiffe://trustdomain/'.length)}`;
  assert.equal(Buffer.byteLength(text), 2048);
  assert.equal(SpiffeId.parse(text).toString(), text);
});

test('ID-14: accepts a trust domain of 255 bytes', () => {
  const name = 'd'.repeat(255);
  assert.equal(SpiffeId.parse(`spiffe://${name}/p`).trustDomain.name, name);
});

test('ID-15: compares paths with their case', () => {
  const upper = SpiffeId.parse('spiffe://trustdomain/Path');
  assert.equal(upper.equals(SpiffeId.parse('spiffe://trustdomain/path')), false);
  assert.equal(upper.equals(SpiffeId.parse('spiffe://trustdomain/Path')), true);
});

test('ID-17: the ID of a trust domain has no path', () => {
  const own = SpiffeId.of(trustDomain, '');
  assert.equal(own.toString(), 'spiffe://trustdomain');
  assert.equal(own.memberOf(trustDomain), true);
  assert.equal(own.memberOf(TrustDomain.parse('other')), false);
});

test('ID-6, ID-12: accepts of code points 0 to 255 only those of the rule', () => {
  for (let code = 0; code < 256; code++) {
    const c = String.fromCodePoint(code);
    if (c === '/') continue;
    const inTrustDomain = () => SpiffeId.parse(`spiffe://trustdomain${c}/path`);
    const inPath = () => SpiffeId.parse(`spiffe://trustdomain/path${c}`);
    if (/[a-z0-9._-]/.test(c)) assert.equal(inTrustDomain().trustDomain.name, `trustdomain${c}`);
    else assert.throws(inTrustDomain, fault('TD char'), `code point ${code}`);
    if (/[a-zA-Z0-9._-]/.test(c)) assert.equal(inPath().path, `/path${c}`);
    else assert.throws(inPath, fault('path char'), `code point ${code}`);
  }
});

const paths: [what: string, path: string, outcome: Refusal | 'ok'][] = [
  ['path', '', 'ok'],
  ['path', '/foo', 'ok'],
  ['path', 'foo', 'no slash'],
  ['path', 'workload', 'no slash'],
  ['path', '/', 'trailing'],
];
for (const [what, path, outcome] of paths) {
  test(`${what} "${path}" on an ID without and with one: ${outcome}`, () => {
    // A path is replaced by making the ID anew, so both cases of the standard are this one.
    if (outcome === 'ok') assert.equal(SpiffeId.of(trustDomain, path).path, path);
    else assert.throws(() => SpiffeId.of(trustDomain, path), fault(outcome));
  });
}

const segmentCases: [segments: string[], outcome: string | { refusal: Refusal }][] = [
  [[], ''],
  [['foo'], '/foo'],
  [['foo', 'bar'], '/foo/bar'],
  [['a', 'b'], '/a/b'],
  [[''], { refusal: 'empty segment' }],
  [['.'], { refusal: 'dot segment' }],
  [['..'], { refusal: 'dot segment' }],
  [['/'], { refusal: 'path char' }],
  [['/foo'], { refusal: 'path char' }],
  [['$'], { refusal: 'path char' }],
];
for (const [segments, outcome] of segmentCases) {
  test(`segments ${JSON.stringify(segments)}: made, and appended to nothing and to /path`, () => {
    const made = () => SpiffeId.ofSegments(trustDomain, ...segments);
    const appended = () => SpiffeId.of(trustDomain, '').append(...segments);
    const appendedToPath = () => SpiffeId.of(trustDomain, '/path').append(...segments);
    if (typeof outcome === 'string') {
      assert.equal(made().path, outcome);
      assert.equal(appended().path, outcome);
      assert.equal(appendedToPath().path, `/path${outcome}`);
    } else {
      for (const action of [made, appended, appendedToPath]) {
        assert.throws(action, fault(outcome.refusal));
      }
    }
  });
}

const pathsToAppend: [path: string, outcome: string | { refusal: Refusal }][] = [
  ['/foo', '/path/foo'],
  ['foo', { refusal: 'no slash' }],
  ['/', { refusal: 'trailing' }],
  ['/$', { refusal: 'path char' }],
];
for (const [path, outcome] of pathsToAppend) {
  test(`append path "${path}" to an ID with and without one`, () => {
    const id = SpiffeId.of(trustDomain, '/path');
    const own = SpiffeId.of(trustDomain, '');
    if (typeof outcome === 'string') {
      assert.equal(id.appendPath(path).path, outcome);
      assert.equal(own.appendPath(path).path, path);
    } else {
      assert.throws(() => id.appendPath(path), fault(outcome.refusal));
      assert.throws(() => own.appendPath(path), fault(outcome.refusal));
    }
  });
}

test('there is no zero ID whose path could be replaced or appended to', () => {
  assert.throws(() => SpiffeId.parse(''), fault('empty'));
  assert.throws(() => TrustDomain.parse(''), fault('missing TD'));
});

test('the JSON form is the text', () => {
  const id = SpiffeId.parse('spiffe://trustdomain/path');
  assert.equal(JSON.stringify({ id }), '{"id":"spiffe://trustdomain/path"}');
  assert.throws(() => SpiffeId.parse('BAD'), fault('scheme'));
});

test('whatever is accepted prints as it was read, and its parts make it again', () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9_-]{1,9}$/);
  const name = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
  fc.assert(
    fc.property(name, fc.array(segment, { maxLength: 5 }), (td, segments) => {
      const text = [`spiffe://${td}`, ...segments].join('/');
      const id = SpiffeId.parse(text);
      assert.equal(id.toString(), text);
      assert.ok(SpiffeId.of(id.trustDomain, id.path).equals(id));
    }),
  );
});

test('no text does anything but parse or be refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((s) => `spiffe://td/${s}`),
      ),
      (text) => {
        try {
          assert.equal(SpiffeId.parse(text).toString(), text);
        } catch (error) {
          assert.ok(Object.values(texts).includes((error as Error).message as never));
        }
      },
    ),
  );
});
