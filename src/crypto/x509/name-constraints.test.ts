import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explicit, implicit, sequence } from '../der/writer.ts';
import { type AlternativeNames, noNames } from './general-names.ts';
import { checkNameConstraints, comparisonBudget, readNameConstraints } from './name-constraints.ts';

const mail = (text: string) => implicit(1, Buffer.from(text));
const dns = (text: string) => implicit(2, Buffer.from(text));
const address = (...bytes: number[]) => implicit(7, Uint8Array.from(bytes));
const ten = address(10, 0, 0, 0, 255, 0, 0, 0);

const constraintsOf = (permitted: Uint8Array[], excluded: Uint8Array[] = []) =>
  readNameConstraints(
    sequence(
      permitted.length > 0 && explicit(0, ...permitted.map((base) => sequence(base))),
      excluded.length > 0 && explicit(1, ...excluded.map((base) => sequence(base))),
    ),
  );

const check = (
  constraints: ReturnType<typeof constraintsOf>,
  names: Partial<AlternativeNames>,
): void => {
  checkNameConstraints(constraints, { ...noNames, ...names }, comparisonBudget());
};

for (const [what, permitted, excluded, names] of [
  [
    'a mailbox by its address',
    [mail('Joe@example.org')],
    [],
    { emailAddresses: ['Joe@EXAMPLE.org'] },
  ],
  ['a mailbox by its domain', [mail('example.org')], [], { emailAddresses: ['joe@example.org'] }],
  [
    'a mailbox below a domain',
    [mail('.example.org')],
    [],
    { emailAddresses: ['joe@a.example.org'] },
  ],
  ['an address in a network', [ten], [], { ipAddresses: [Uint8Array.of(10, 1, 2, 3)] }],
  ['an address outside an excluded one', [], [ten], { ipAddresses: [Uint8Array.of(11, 0, 0, 0)] }],
  ['an address of the other family', [], [ten], { ipAddresses: [new Uint8Array(16).fill(10)] }],
  [
    'an address in a network of 128 bits',
    [address(...Array<number>(16).fill(1), ...Array<number>(16).fill(255))],
    [],
    { ipAddresses: [new Uint8Array(16).fill(1)] },
  ],
  ['one of several domains', [dns('a'), dns('b')], [], { dnsNames: ['x.b', 'x.a'] }],
] as [string, Uint8Array[], Uint8Array[], Partial<AlternativeNames>][]) {
  test(`name constraints let pass ${what}`, () => {
    check(constraintsOf(permitted, excluded), names);
  });
}

for (const [what, permitted, excluded, names, reason] of [
  [
    'a mailbox of another local part',
    [mail('Joe@example.org')],
    [],
    { emailAddresses: ['joe@example.org'] },
    'email address "joe@example.org" is not permitted by any constraint',
  ],
  [
    'a mailbox of another domain',
    [mail('example.org')],
    [],
    { emailAddresses: ['example.org@other.org'] },
    'email address "example.org@other.org" is not permitted by any constraint',
  ],
  [
    'an address outside the network',
    [ten],
    [],
    { ipAddresses: [Uint8Array.of(11, 0, 0, 1)] },
    'IP address "11.0.0.1" is not permitted by any constraint',
  ],
  [
    'an address of the other family',
    [ten],
    [],
    { ipAddresses: [new Uint8Array(16)] },
    'IP address "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0" is not permitted by any constraint',
  ],
  [
    'an address that is excluded',
    [],
    [ten],
    { ipAddresses: [Uint8Array.of(10, 9, 8, 7)] },
    'IP address "10.9.8.7" is excluded by a constraint',
  ],
  [
    'any name of a kind that is excluded whole',
    [],
    [dns('')],
    { dnsNames: ['a'] },
    'DNS name "a" is excluded by a constraint',
  ],
] as [string, Uint8Array[], Uint8Array[], Partial<AlternativeNames>, string][]) {
  test(`name constraints refuse ${what}`, () => {
    assert.throws(() => check(constraintsOf(permitted, excluded), names), {
      kind: 'invalid',
      message: `x509: a root or intermediate certificate is not authorized to sign for this name: ${reason}`,
    });
  });
}

for (const [why, value, text] of [
  ['of nothing', sequence(), 'x509: empty name constraints extension'],
  ['with an empty subtree', sequence(explicit(0, sequence())), /empty name constraint/],
  [
    'with a minimum',
    sequence(explicit(0, sequence(dns('a'), implicit(0, Uint8Array.of(1))))),
    'asn1: syntax error: trailing data',
  ],
  ['of another order', sequence(explicit(1, sequence(dns('a'))), explicit(0)), /trailing data/],
  ['with half an address', sequence(explicit(0, sequence(address(10, 0, 0, 0)))), /IP constraint/],
  [
    'with a domain that is not ASCII',
    sequence(explicit(0, sequence(implicit(2, Uint8Array.of(0x80))))),
    'x509: dNSName constraint is malformed',
  ],
] as [string, Uint8Array, string | RegExp][]) {
  test(`refuses name constraints ${why}`, () => {
    assert.throws(() => readNameConstraints(value), { kind: 'invalid', message: text });
  });
}

test('comparisons are limited over the whole verification', () => {
  const many = constraintsOf([], [dns('b.c')]);
  const budget = comparisonBudget();
  const names = { ...noNames, dnsNames: Array.from({ length: 250_000 }, () => 'a') };
  checkNameConstraints(many, names, budget);
  assert.throws(() => checkNameConstraints(many, { ...noNames, dnsNames: ['a'] }, budget), {
    kind: 'invalid',
    message: 'x509: too many name constraints to check',
  });
});
