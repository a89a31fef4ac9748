import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { eventually, root, runProgram, startProgram } from '../kit/programs.ts';
import { missing } from '../kit/toolchain.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';

/** A program in examples/workloads, and what makes of it a command to run. */
type Language = {
  readonly name: string;
  readonly needs: string;
  /** What docs/workloads.md shows. */
  readonly shown: string;
  readonly build: (folder: string, scratch: string) => readonly string[] | undefined;
  readonly run: (folder: string, scratch: string) => Promise<readonly string[]>;
};

const languages: readonly Language[] = [
  {
    name: 'go',
    needs: 'go',
    shown: 'main.go',
    build: (_, scratch) => ['go', 'build', '-o', join(scratch, 'go'), '.'],
    run: async (_, scratch) => [join(scratch, 'go')],
  },
  {
    name: 'java',
    needs: 'mvn',
    shown: 'src/main/java/Workload.java',
    build: (_, scratch) => [
      'mvn',
      '-q',
      '-B',
      `-DbuildDirectory=${join(scratch, 'java')}`,
      'compile',
      'dependency:build-classpath',
      `-Dmdep.outputFile=${join(scratch, 'path')}`,
    ],
    run: async (_, scratch) => {
      const path = await readFile(join(scratch, 'path'), 'utf8');
      return ['java', '-cp', `${join(scratch, 'java/classes')}:${path}`, 'Workload'];
    },
  },
  {
    name: 'python',
    needs: 'python3',
    shown: 'workload.py',
    build: () => undefined,
    run: async (folder) => [join(root, '.cache/python/bin/python'), join(folder, 'workload.py')],
  },
  {
    name: 'rust',
    needs: 'cargo',
    shown: 'src/main.rs',
    build: (_, scratch) => ['cargo', 'build', '-q', '--locked', '--target-dir', scratch],
    run: async (_, scratch) => [join(scratch, 'debug/workload')],
  },
  {
    name: 'node',
    needs: 'node',
    shown: 'workload.ts',
    build: () => undefined,
    run: async (folder) => [process.execPath, join(folder, 'workload.ts')],
  },
];

const page = await readFile(join(root, 'docs/workloads.md'), 'utf8');

for (const { name, needs, shown, build, run } of languages) {
  describe(name, { skip: missing(needs) }, () => {
    const folder = join(root, 'examples/workloads', name);
    // Kept, since some of these take a minute to build.
    const scratch = join(root, '.cache/workloads', name);
    before(async () => {
      await mkdir(scratch, { recursive: true });
      const command = build(folder, scratch);
      if (command === undefined) return;
      const built = await runProgram(command, { cwd: folder });
      assert.equal(built.code, 0, built.stdout + built.stderr);
    });

    test('has its SVIDs, and follows their rotation', async (t) => {
      const domain = await startTrustDomain(t);
      // An SVID of 16 s is renewed after about 8.
      const own = [`unix:uid:${process.getuid?.() ?? 0}`];
      await domain.createEntry('/web', own, '-x509SVIDTTL', '16');
      const program = startProgram(t, await run(folder, scratch), {
        env: { SPIFFE_ENDPOINT_SOCKET: `unix://${domain.agentSocket}` },
      });
      await program.says(/^I am spiffe:\/\/example\.test\/web$/m);
      await program.says(/^my token is for reports$/m);
      await eventually(() => {
        const serials = Array.from(program.stdout.matchAll(/^serial (\d+)$/gm), ([, one]) => one);
        return new Set(serials).size >= 2;
      }, `two serial numbers in ${program.output}`);
    });

    test('is what docs/workloads.md shows', async () => {
      const source = await readFile(join(folder, shown), 'utf8');
      assert.ok(
        page.includes(`\n${source.trim()}\n\`\`\``),
        `${name}: the page shows another text`,
      );
    });
  });
}
