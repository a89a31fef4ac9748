import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandEnv } from './expand-env.ts';

const environment = { NAME: 'value', A_1: 'a', '1': 'one', 'odd name': 'odd', LOOP: '$NAME' };

const rows: readonly (readonly [string, string, string])[] = [
  ['a plain name', 'x $NAME y', 'x value y'],
  ['a name in braces', 'x${NAME}y', 'xvaluey'],
  ['a name with digits and underscores', '$A_1-', 'a-'],
  ['an unset variable', '[$UNSET${UNSET}]', '[]'],
  ['two dollar signs', '$$NAME $${NAME}', '$NAME ${NAME}'],
  ['a dollar sign in braces', '${$}', '$'],
  ['empty braces', '[${}]', '[]'],
  ['unclosed braces', 'a ${NAME', 'a NAME'],
  ['a dollar sign before no name', 'cost: $ 5, $.', 'cost: $ 5, $.'],
  ['a dollar sign at the end', 'x$', 'x$'],
  ['special names of one character', '[$*$#$@$!$?$-]', '[]'],
  ['digits, of which one is taken', '$12', 'one2'],
  ['any text in braces', '${odd name}', 'odd'],
  ['what a variable holds no further', '$LOOP', '$NAME'],
];
for (const [why, text, expected] of rows) {
  test(`expands ${why}`, () => {
    assert.equal(expandEnv(text, environment), expected);
  });
}

test('the time it takes grows with the length of the text and no faster', () => {
  const started = performance.now();
  assert.equal(expandEnv('${'.repeat(1_000_000), {}), '');
  assert.ok(performance.now() - started < 5000);
});
