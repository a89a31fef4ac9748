/**
 * Makes docs/workload-api.md, the reference of the library for applications, from its declarations and their comments;
 * with `--check` it only says whether the committed page is still what comes out.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs/workload-api.md');

type Item = {
  readonly name: string;
  readonly isType: boolean;
  readonly comment: string;
  readonly code: string;
};

const text = render(readItems());
if (!process.argv.includes('--check')) writeFileSync(page, text);
else if (readFileSync(page, 'utf8') !== text) {
  console.error('out of date: docs/workload-api.md\nrun `make gen` and commit what it changes');
  process.exitCode = 1;
}

function readItems(): { readonly about: string; readonly items: readonly Item[] } {
  const folder = mkdtempSync(join(tmpdir(), 'api-docs-'));
  try {
    execFileSync('tsc', ['-p', 'tools/tsconfig.types.json', '--outDir', folder], {
      cwd: root,
      stdio: 'inherit',
    });
    const index = join(folder, 'workload/index.d.ts');
    const source = readFileSync(index, 'utf8');
    const items = exportsOf(source).map(({ names, from }) => {
      const declarations = readFileSync(
        join(dirname(index), from.replace(/\.ts$/, '.d.ts')),
        'utf8',
      );
      return names.map((name) => item(name, declarations));
    });
    return { about: commentText(source), items: items.flat() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function exportsOf(source: string): { names: string[]; from: string }[] {
  return Array.from(
    source.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gm),
    (match) => ({
      names: (match[1] ?? '')
        .split(',')
        .map((name) => name.replace(/^\s*type\s/, '').trim())
        .filter((name) => name !== ''),
      from: match[2] ?? '',
    }),
  );
}

/** One declaration with the comment before it. */
function item(name: string, source: string): Item {
  const start = new RegExp(
    `((?:/\\*\\*(?:(?!\\*/)[^])*\\*/\\n)?)export (?:declare )?(abstract class|class|function|const|type|interface) ${name}\\b`,
  ).exec(source);
  if (start === null) throw new Error(`no declaration of ${name}`);
  const [, comment = '', kind = ''] = start;
  const declaration = source.slice(start.index + comment.length);
  const code = declaration
    .slice(0, endOf(declaration))
    .replace(/^export (declare )?/, '')
    .replace(/^ {4}(#private|private constructor\(\));\n/gm, '');
  return {
    name,
    isType: kind === 'type' || kind === 'interface',
    comment: commentText(comment),
    code: code.replace(/^( {4})+/gm, (indent) => ' '.repeat(indent.length / 2)),
  };
}

/** Where a declaration ends: at the semicolon, or the brace that closes it. */
function endOf(declaration: string): number {
  let depth = 0;
  for (const { 0: token, index } of declaration.matchAll(/\/\*[^]*?\*\/|[{}();]/g)) {
    if ('{('.includes(token)) depth += 1;
    if ('})'.includes(token)) depth -= 1;
    const closes =
      token === '}' && /^export (declare )?((abstract )?class|interface)/.test(declaration);
    if (depth === 0 && (token === ';' || closes)) return index + 1;
  }
  throw new Error(`no end of ${declaration.slice(0, 60)}`);
}

/** What a documentation comment says; indented lines are code. */
function commentText(source: string): string {
  const inside = /\/\*\*([^]*?)\*\//.exec(source)?.[1] ?? '';
  return inside
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
}

function render({ about, items }: ReturnType<typeof readItems>): string {
  const sorted = items.toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
  const section = ({ name, comment, code }: Item) =>
    [`### ${name}`, comment, `\`\`\`ts\n${code}\n\`\`\``]
      .filter((part) => part !== '')
      .join('\n\n');
  const list = (isType: boolean) => sorted.filter((one) => one.isType === isType).map(section);
  return [
    '# steeple/workload',
    '<!-- Made by tools/api-docs.ts from the comments in src/workload; change those. -->',
    about,
    '## Classes, functions and constants',
    ...list(false),
    '## Types',
    ...list(true),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}
