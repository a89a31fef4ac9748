/** Makes `src/wire/gen` from `proto/`; with `--check` it only says whether the committed output is still what comes out. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const committed = join(root, 'src/wire/gen');

if (process.argv.includes('--check')) {
  const scratch = mkdtempSync(join(tmpdir(), 'gen-'));
  try {
    for (const part of ['proto', 'buf.yaml', 'buf.gen.yaml']) {
      cpSync(join(root, part), join(scratch, part), { recursive: true });
    }
    generate(scratch);
    const stale = differences(committed, join(scratch, 'src/wire/gen'));
    for (const path of stale) console.error(`out of date: src/wire/gen/${path}`);
    if (stale.length > 0) {
      console.error('run `make gen` and commit what it changes');
      process.exitCode = 1;
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
} else {
  generate(root);
}

function generate(cwd: string): void {
  const path = `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`;
  execFileSync('buf', ['generate'], { cwd, stdio: 'inherit', env: { ...process.env, PATH: path } });
}

function differences(left: string, right: string): string[] {
  const [a, b] = [filesOf(left), filesOf(right)];
  return [...new Set([...a.keys(), ...b.keys()])].filter((path) => a.get(path) !== b.get(path));
}

function filesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    names
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );
}
