import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const source = join(import.meta.dirname, '../src');

/** Each layer may import itself and those before it in its line of descent. */
const ladder = [
  'base',
  'ops',
  'crypto',
  'acme',
  'spiffe',
  'wire',
  'rpc',
  'workload',
  'catalog',
  'plugins',
  'sdk',
];
const programs = ['server', 'agent', 'oidc', 'controller'];
const top = ['cli', 'bin'];

const allowed: Record<string, readonly string[]> = {
  ...Object.fromEntries(ladder.map((layer, index) => [layer, ladder.slice(0, index + 1)])),
  ...Object.fromEntries(programs.map((program) => [program, [...ladder, program]])),
  cli: [...ladder, ...programs, 'cli'],
  bin: [...ladder, ...programs, ...top],
};

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"](\.[^'"]+)['"]|import\(\s*['"](\.[^'"]+)['"]\s*\)|(?:^|\n)import\s*['"](\.[^'"]+)['"]/g;

test('no folder imports from above itself', () => {
  const offending = files().flatMap(({ path, layer }) => {
    const known = allowed[layer];
    if (known === undefined) return [`${path}: src/${layer} has no rung`];
    return importsOf(path)
      .filter((target) => !isTest(path) || !target.startsWith('..'))
      .filter((target) => !known.includes(layerOf(target)))
      .map((target) => `${path} imports ${target}`);
  });
  assert.deepEqual(offending, []);
});

test('only tests import from outside src', () => {
  const offending = files()
    .filter(({ path }) => !isTest(path))
    .flatMap(({ path }) =>
      importsOf(path)
        .filter((target) => target.startsWith('..'))
        .map((target) => `${path} imports ${target}`),
    );
  assert.deepEqual(offending, []);
});

test('what is not a test imports no test', () => {
  const offending = files()
    .filter(({ path }) => !isTest(path))
    .flatMap(({ path }) =>
      importsOf(path)
        .filter(isTest)
        .map((target) => `${path} imports ${target}`),
    );
  assert.deepEqual(offending, []);
});

function files(): { path: string; layer: string }[] {
  return globSync('**/*.ts', { cwd: source })
    .filter((path) => path.includes('/'))
    .map((path) => ({ path, layer: layerOf(path) }));
}

const isTest = (path: string): boolean => /\.(test|suite)\.ts$/.test(path);

const layerOf = (path: string): string => path.split('/')[0] ?? '';

/** Relative imports, as paths below `src`. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(source, path), 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => {
    const target = match[1] ?? match[2] ?? match[3] ?? '';
    return relative(source, join(source, dirname(path), target));
  });
}
