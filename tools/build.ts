/**
 * Bundles each program and the library for applications into `dist/`, and fills the compile cache beside them.
 *
 *   node tools/build.ts              build into this checkout's dist/
 *   node tools/build.ts --out DIR    make DIR a folder that runs by itself: dist/, bin/ and the packages' link
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const out = outFolder();
const dist = join(out, 'dist');

/** A program, or a thread that a program starts from a file of its own. */
const entries = {
  'spire-server': 'src/bin/spire-server.ts',
  'spire-agent': 'src/bin/spire-agent.ts',
  steeple: 'src/bin/steeple.ts',
  'sqlite-worker': 'src/server/datastore/sqlite-worker.ts',
};

/** Packages left outside the bundles: they load native code by a path relative to themselves. */
const external = ['koffi'];

/** grpc-js asks for this only to serve channelz and load reports, which nobody here does; it is 290 kB. */
const alias = { '@grpc/proto-loader': './tools/no-proto-loader.ts' };

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: entries,
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  external,
  alias,
  sourcemap: true,
  sourcesContent: false,
  // Source text stays in memory. Names are kept, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  chunkNames: 'chunks/[name]-[hash]',
  // CommonJS packages inside an ESM bundle ask for these by name.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});

// What applications import: it shares their packages, so that a class of grpc-js is the same class on both sides.
await build({
  absWorkingDir: root,
  entryPoints: { index: 'src/workload/index.ts' },
  outdir: join(dist, 'workload'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
});
execFileSync('tsc', ['-p', 'tools/tsconfig.types.json', '--outDir', join(dist, 'types')], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` },
});

if (out !== root) {
  cpSync(join(root, 'bin'), join(out, 'bin'), { recursive: true });
  cpSync(join(root, 'package.json'), join(out, 'package.json'));
  rmSync(join(out, 'node_modules'), { force: true });
  symlinkSync(join(root, 'node_modules'), join(out, 'node_modules'));
}
// The launchers compare the sources with this file's time.
writeFileSync(join(dist, '.built'), '');
const fill = `--import=${join(import.meta.dirname, 'fill-compile-cache.ts')}`;
for (const program of ['spire-server', 'spire-agent', 'steeple']) {
  execFileSync(join(out, 'bin', program), ['--version'], {
    stdio: 'ignore',
    env: { ...process.env, NODE_OPTIONS: fill },
  });
}

function outFolder(): string {
  const at = process.argv.indexOf('--out');
  const folder = at === -1 ? undefined : process.argv[at + 1];
  return folder === undefined ? root : resolve(folder);
}
