import { parseConfigText } from '../base/config-file.ts';
import { Fault, reasonOf } from '../base/fault.ts';
import { goFileError } from '../base/go-file-error.ts';
import { goQuote } from '../base/go-quote.ts';
import type { HclItem, HclValue } from '../base/hcl/ast.ts';
import type { Position } from '../base/hcl/position.ts';
import { Problems } from '../base/problems.ts';
import { Settings } from '../base/settings.ts';
import type { KeyAudit } from '../base/unknown-keys.ts';
import type { PluginDeclaration } from './plugin.ts';

/** One plugin as a configuration file has it (`reference/server.md` §3), in the file's order. */
export type PluginSection = PluginDeclaration & {
  readonly type: string;
  readonly args: readonly string[];
  /** SHA-256 in hexadecimal; '' for none. */
  readonly checksum: string;
  readonly enabled: boolean;
  readonly position: Position;
};

type PluginNode = {
  readonly type: string;
  readonly name: string;
  readonly items: HclItem[];
  readonly position: Position;
};

/**
 * Reads the `plugins` section of `root`; undefined if there is none. Of several the first one counts, as in SPIRE:
 * what the others hold is told as ignored. What is wrong is put on the problems with SPIRE's words.
 */
export function readPlugins(root: Settings, audit: KeyAudit): readonly PluginSection[] | undefined {
  const items = root.items('plugins');
  const [first, ...ignored] = items?.filter(({ keys }) => keys.length === 0) ?? [];
  if (items === undefined) return undefined;
  // Labels on the section itself come from JSON; all of these belong together.
  const labelled = items.filter(({ keys }) => keys.length > 0);
  const content = [...labelled, ...(first === undefined ? [] : contentOf(first.value))];
  for (const { value } of items.filter(({ keys }) => keys.length === 0)) {
    if (value.kind === 'object' || value.kind === 'null') continue;
    const found = value.kind === 'list' ? 'ListType' : 'LiteralType';
    root.problems.add(
      `expected plugins node type *ast.ObjectList but got *ast.${found}`,
      value.position,
    );
  }
  for (const { value } of ignored) {
    audit.tolerate(
      'plugins (only the first such section counts)',
      root.sectionOf(contentOf(value), value.position, 'root', root.problems),
    );
  }
  const nodes = pluginNodes(root, content);
  return nodes.map((node) => readPlugin(root, audit, node));
}

const contentOf = (value: HclValue): readonly HclItem[] =>
  value.kind === 'object' ? value.items : [];

/** One node for each type and name; those declared more than once are told, and the first is kept. */
function pluginNodes({ problems }: Settings, content: readonly HclItem[]): readonly PluginNode[] {
  const nodes = new Map<string, PluginNode>();
  for (const item of content.flatMap((each) => withDepth(each, 2))) {
    const [type, name, ...rest] = item.keys;
    if (type === undefined || name === undefined) {
      problems.add(
        `failed to decode plugins config: expected a type and a name for each plugin`,
        item.value.position,
      );
      continue;
    }
    const id = `${goQuote(type.name)}/${goQuote(name.name)}`;
    const known = nodes.get(id);
    if (known === undefined) {
      nodes.set(id, {
        type: type.name,
        name: name.name,
        items: contentWithLabels(rest, item.value),
        position: type.position,
      });
    } else if (rest.length > 0) {
      known.items.push(...contentWithLabels(rest, item.value)); // more of one plugin's labelled blocks
    } else {
      problems.add(`plugin ${id} declared more than once`, type.position);
    }
  }
  return [...nodes.values()];
}

/** Takes labels out of nested objects until there are `depth` of them. */
function withDepth(item: HclItem, depth: number): readonly HclItem[] {
  const { keys, value } = item;
  if (keys.length >= depth) return [item];
  if (value.kind === 'list') {
    return value.elements.flatMap((element) => withDepth({ keys, value: element }, depth));
  }
  if (value.kind !== 'object') return [item];
  return value.items.flatMap((inner) =>
    withDepth({ keys: [...keys, ...inner.keys], value: inner.value }, depth),
  );
}

const contentWithLabels = (labels: HclItem['keys'], value: HclValue): HclItem[] =>
  labels.length > 0 ? [{ keys: labels, value }] : [...contentOf(value)];

function readPlugin(root: Settings, audit: KeyAudit, node: PluginNode): PluginSection {
  const { type, name, position } = node;
  const id = `${goQuote(type)}/${goQuote(name)}`;
  const problems = new Problems(root.problems.source);
  const settings = root.sectionOf(node.items, position, 'root', problems);
  audit.tolerate(`plugin ${id}`, settings);
  const dataFile = settings.string('plugin_data_file');
  const hasData = (settings.items('plugin_data') ?? []).some(({ value }) => value.kind !== 'null');
  const data = readData(root, settings, problems);
  const command = settings.string('plugin_cmd');
  const section = {
    type,
    name,
    command: command === '' ? undefined : command,
    args: settings.strings('plugin_args'),
    checksum: settings.string('plugin_checksum'),
    dataFile: dataFile === '' ? undefined : dataFile,
    enabled: settings.optionalBool('enabled') ?? true,
    data,
    position,
  };
  if (hasData && section.dataFile !== undefined) {
    problems.add(
      'only one of [plugin_data, plugin_data_file] can be used',
      settings.positionOf('plugin_data_file'),
    );
  }
  for (const problem of problems.all) {
    root.problems.add(
      `failed to create plugin config for ${id}: ${problem.text}`,
      problem.position,
    );
  }
  return section;
}

/** The plugin's own settings, with problems of their own; undefined if there are none. */
function readData(root: Settings, settings: Settings, problems: Problems): Settings | undefined {
  const items = settings.items('plugin_data') ?? [];
  const last = items.at(-1);
  if (last === undefined) return undefined;
  const labelled = items.filter(({ keys }) => keys.length > 0);
  const content = labelled.length > 0 ? labelled : contentOf(last.value);
  if (last.value.kind !== 'object' && last.value.kind !== 'null') {
    problems.add('plugin_data must be a block', last.value.position);
  }
  if (content.length === 0) return undefined;
  return root.sectionOf(content, last.value.position, 'root', new Problems(root.problems.source));
}

/** The largest `plugin_data_file` that is read. */
const MAX_DATA_BYTES = 4 * 1024 * 1024;

export type ReadFile = (path: string, maxBytes: number) => Promise<Uint8Array>;

/** What a `plugin_data_file` holds. Throws with Go's words for a file that cannot be opened. */
export const readDataFile = (path: string, readFile: ReadFile): Promise<Uint8Array> =>
  readFile(path, MAX_DATA_BYTES).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });

/** The settings in it; undefined if there are none. Throws 'invalid' with the reason alone. */
export function parseDataFile(bytes: Uint8Array, path: string): Settings | undefined {
  const text = new TextDecoder().decode(bytes);
  if (text.trim() === '') return undefined;
  try {
    return Settings.of(parseConfigText(text, path), new Problems(path));
  } catch (error) {
    throw new Fault('invalid', reasonOf(error), { cause: error });
  }
}

/**
 * The plugin with the settings of its `plugin_data_file`, if it has one. Throws a Fault with the reason alone, which
 * the caller puts SPIRE's words before (`failed to load plugin data: `, `failed to read plugin configuration: `).
 */
export async function withDataFile<Declaration extends PluginDeclaration>(
  section: Declaration,
  readFile: ReadFile,
): Promise<Declaration> {
  const { dataFile } = section;
  if (dataFile === undefined) return section;
  const data = parseDataFile(await readDataFile(dataFile, readFile), dataFile);
  return data === undefined ? section : { ...section, data };
}
