/**
 * Runs tests and says how many passed: `node tools/test.ts check` what a commit needs, `node tools/test.ts all` everything.
 * The closing line is `N passed, N failed` (`, N skipped` where a peer's toolchain is missing and CI is not set).
 */
import { spawn } from 'node:child_process';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '..');

type Counts = { passed: number; failed: number; skipped: number };
type Step =
  | { readonly name: string; readonly command: readonly string[] }
  | { readonly name: string; readonly tests: readonly string[]; readonly isolated: boolean };

const checks: readonly Step[] = [
  { name: 'format', command: ['biome', 'check', '--linter-enabled=false', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'generated code', command: ['node', 'tools/gen.ts', '--check'] },
  { name: 'generated pages', command: ['node', 'tools/api-docs.ts', '--check'] },
  { name: 'unit tests', tests: ['src/**/*.test.ts', 'test/*.test.ts'], isolated: false },
];

const everything: readonly Step[] = [
  ...checks,
  { name: 'build', command: ['node', 'tools/build.ts'] },
  { name: 'command lines', tests: ['test/cli/**/*.test.ts'], isolated: true },
  { name: 'conformance', tests: ['test/conformance/**/*.test.ts'], isolated: true },
  { name: 'end to end', tests: ['test/e2e/**/*.test.ts'], isolated: true },
  { name: 'interop', tests: ['test/interop/**/*.test.ts'], isolated: true },
  { name: 'faults', tests: ['test/faults/**/*.test.ts'], isolated: true },
  { name: 'fuzzing', tests: ['test/fuzz/**/*.test.ts'], isolated: true },
];

const plans: Record<string, readonly Step[]> = {
  check: checks,
  unit: checks.filter((step) => step.name === 'unit tests'),
  all: everything,
  faults: everything.filter((step) => step.name === 'build' || step.name === 'faults'),
};

const plan = plans[process.argv[2] ?? 'all'];
if (plan === undefined) {
  console.error(`usage: node tools/test.ts ${Object.keys(plans).join('|')}`);
  process.exit(2);
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const step of plan) {
  const started = performance.now();
  const counts = 'command' in step ? await runCommand(step.command) : await runTests(step);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const outcome = counts.failed === 0 ? 'ok' : 'FAILED';
  console.log(`${outcome.padEnd(6)} ${step.name} (${summary(counts)}, ${seconds} s)`);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
console.log(summary(total));
process.exitCode = total.failed === 0 ? 0 : 1;

function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

async function runCommand([program = '', ...args]: readonly string[]): Promise<Counts> {
  const code = await run(program, args);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

async function runTests(step: Extract<Step, { tests: unknown }>): Promise<Counts> {
  const files = (await Array.fromAsync(glob(step.tests, { cwd: root }))).toSorted();
  // Files that share a process are dealt out to two processes for each core: many tests wait as long as they work.
  const groups = step.isolated ? [files] : dealt(files, 2 * availableParallelism());
  const counts = await Promise.all(groups.map((group) => runFiles(group, step.isolated)));
  return {
    passed: sum(counts.map(({ passed }) => passed)),
    failed: sum(counts.map(({ failed }) => failed)),
    skipped: sum(counts.map(({ skipped }) => skipped)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function dealt(files: readonly string[], hands: number): string[][] {
  return Array.from({ length: hands }, (_, hand) =>
    files.filter((_, index) => index % hands === hand),
  );
}

async function runFiles(files: readonly string[], isolated: boolean): Promise<Counts> {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const scratch = await mkdtemp(join(tmpdir(), 'steeple-test-'));
  try {
    const countsFile = join(scratch, 'counts.json');
    const code = await run('node', [
      '--test',
      ...(isolated ? [`--test-concurrency=${availableParallelism()}`] : ['--test-isolation=none']),
      '--disable-warning=ExperimentalWarning',
      `--test-reporter=${join(root, 'tools/failures-reporter.ts')}`,
      '--test-reporter-destination=stdout',
      `--test-reporter=${join(root, 'tools/counts-reporter.ts')}`,
      `--test-reporter-destination=${countsFile}`,
      ...files,
    ]);
    const counts = JSON.parse(
      await readFile(countsFile, 'utf8').catch(() => '{}'),
    ) as Partial<Counts>;
    const { passed = 0, failed = 0, skipped = 0 } = counts;
    // A run that ended badly without a failed test (a crash, a syntax error) is a failure too.
    return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

function run(program: string, args: readonly string[]): Promise<number> {
  const path = [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: path },
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}
