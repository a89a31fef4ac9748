import { goQuote } from './go-quote.ts';
import type { HclFile, HclItem, HclValue } from './hcl/ast.ts';
import { type Position, positionText } from './hcl/position.ts';
import { parseInteger } from './integer.ts';
import { Problems } from './problems.ts';

export type UnknownKey = { readonly name: string; readonly position: Position };

/**
 * One section of a configuration, read the way the reference's HCL library fills a structure
 * (`reference/server.md` §1.2): keys match in any case; of a repeated key the last value counts, repeated blocks
 * merge, repeated lists append; a number may stand in quotes. What has the wrong type is put on `problems` and read
 * as absent. An absent key reads as the zero value, as in the reference, where the two mean the same; the
 * `optional...` readers tell them apart.
 *
 *     const keysPath = settings.string('keys_path');
 *     settings.throwIfWrong();   // all type problems at once
 *     settings.unknownKeys();    // what nobody asked for
 */
export class Settings {
  readonly problems: Problems;
  /** Where the section starts. */
  readonly position: Position;
  readonly #items: readonly HclItem[];
  readonly #name: string;
  readonly #shared: Shared;
  #asked = new Set<string>();

  private constructor(node: SectionNode, shared: Shared) {
    this.#items = node.items;
    this.#name = node.name;
    this.position = node.position;
    this.#shared = shared;
    this.problems = shared.problems;
  }

  static of(file: HclFile, problems: Problems): Settings {
    const { items, position } = file.root;
    const shared = { problems, positionsShown: file.syntax === 'hcl' };
    return new Settings({ items, position, name: 'root' }, shared);
  }

  /** A section without any key. */
  static empty(problems: Problems = new Problems('')): Settings {
    const position = { line: 1, column: 1 };
    return Settings.of({ root: { kind: 'object', items: [], position }, syntax: 'hcl' }, problems);
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  has(key: string): boolean {
    return this.#matches(key).length > 0;
  }

  /** Where the value that counts stands. */
  positionOf(key: string): Position | undefined {
    const match = this.#matches(key).at(-1);
    return match?.value.position;
  }

  string(key: string): string {
    return this.optionalString(key) ?? '';
  }

  optionalString(key: string): string | undefined {
    return this.#last(key, (value) => this.#string(key, value));
  }

  int(key: string): number {
    return this.optionalInt(key) ?? 0;
  }

  optionalInt(key: string): number | undefined {
    return this.#last(key, (value) => this.#int(key, value));
  }

  bool(key: string): boolean {
    return this.optionalBool(key) ?? false;
  }

  optionalBool(key: string): boolean | undefined {
    return this.#last(key, (value) => this.#bool(key, value));
  }

  /** A list of texts; repeated, the lists are joined. */
  strings(key: string): readonly string[] {
    return this.#matches(key).flatMap((match) => {
      const value = withLabels(match);
      if (value.kind === 'object') {
        const [item] = value.items;
        return item === undefined ? [] : this.#wrongItem(`${key}[0]`, item);
      }
      if (value.kind !== 'list') return this.#wrong(value, 'unknown slice type: *ast.LiteralType');
      return value.elements.flatMap((element, index) => {
        const text = this.#string(`${key}[${index}]`, element, '*ast.ObjectType');
        return text === undefined ? [] : [text];
      });
    });
  }

  /** A block; its repetitions are read as one. Labels count as blocks inside. Undefined if there is none. */
  section(key: string): Settings | undefined {
    const matches = this.#matches(key);
    const items = matches.flatMap(({ keys, value }) => {
      if (keys.length > 0) return [{ keys, value }];
      if (value.kind === 'object') return value.items;
      if (value.kind === 'null') return [];
      return this.#wrong(
        value,
        `${this.#path(key)}: not an object type for struct (${goType(value)})`,
      );
    });
    const position = this.positionOf(key);
    if (position === undefined || matches.every(({ value }) => value.kind === 'null')) {
      return undefined;
    }
    return this.#inner({ items, position, name: this.#path(key) });
  }

  /** A list of blocks, written as a list of objects or as repeated blocks. */
  sections(key: string): readonly Settings[] {
    const nodes = this.#matches(key).flatMap((match) => this.#elements(match));
    return nodes.flatMap((value, index) => {
      const name = `${this.#path(key)}[${index}]`;
      const items = value.kind === 'object' ? value.items : undefined;
      if (items === undefined) {
        return this.#wrong(value, `${name}: not an object type for struct (${goType(value)})`);
      }
      return [this.#inner({ items, position: value.position, name })];
    });
  }

  /**
   * Blocks with a label, `key "label" { ... }` or `key { label { ... } }`, in the order of their first appearance;
   * those of one label are read as one. Labels keep their case.
   */
  labelled(key: string): ReadonlyMap<string, Settings> {
    const found = new Map<string, HclItem[]>();
    for (const item of this.#labelledItems(key)) {
      const label = item.keys[0]?.name ?? '';
      found.set(label, [...(found.get(label) ?? []), { ...item, keys: item.keys.slice(1) }]);
    }
    return new Map(
      [...found].map(([label, items]) => {
        const name = `${this.#path(key)}.${label}`;
        const position = items[0]?.value.position ?? this.position;
        const inside = items.flatMap((item) => this.#contentOf(item, name));
        return [label, this.#inner({ items: inside, position, name })];
      }),
    );
  }

  /** What was written under a key, for those who read it later; labels first. Undefined if nothing was. */
  items(key: string): readonly HclItem[] | undefined {
    const matches = this.#matches(key);
    return matches.length === 0 ? undefined : matches;
  }

  /** The same section, which puts what is wrong elsewhere. What either is asked for, both know. */
  withProblems(problems: Problems): Settings {
    const section = this.sectionOf(this.#items, this.position, this.#name, problems);
    section.#asked = this.#asked;
    return section;
  }

  /** A section made of items that `items` gave, with problems of its own. */
  sectionOf(
    items: readonly HclItem[],
    position: Position,
    name: string,
    problems: Problems,
  ): Settings {
    return new Settings({ items, position, name }, { ...this.#shared, problems });
  }

  /** Keys that somebody asked for, in small letters. */
  get askedKeys(): ReadonlySet<string> {
    return this.#asked;
  }

  /** Keys that nobody asked for, each once, sorted. Quoted ones are left out unless they are wanted. */
  unknownKeys({ quoted = false } = {}): readonly UnknownKey[] {
    const unknown = new Map<string, UnknownKey>();
    for (const { keys } of this.#items) {
      const [key] = keys;
      if (key === undefined || !(key.bare || quoted) || this.#asked.has(fold(key.name))) continue;
      if (!unknown.has(key.name)) unknown.set(key.name, key);
    }
    return [...unknown.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Puts each unknown key on the problems. */
  rejectUnknown(): void {
    for (const { name, position } of this.unknownKeys({ quoted: true })) {
      this.problems.add(`unknown key "${name}"`, position);
    }
  }

  /** Throws a ConfigFault with all problems so far; its message is the reference's for the first one. */
  throwIfWrong(
    words: (reason: string) => string = (reason) => `unable to decode configuration: ${reason}`,
  ): void {
    this.problems.throwIfAny(words);
  }

  #inner(node: SectionNode): Settings {
    return new Settings(node, this.#shared);
  }

  /** What stands under a key, the key itself taken off. */
  #matches(key: string): HclItem[] {
    const wanted = fold(key);
    this.#asked.add(wanted);
    return this.#items.flatMap(({ keys, value }) =>
      fold(keys[0]?.name ?? '') === wanted ? [{ keys: keys.slice(1), value }] : [],
    );
  }

  #last<T>(key: string, read: (value: HclValue) => T | undefined): T | undefined {
    let last: T | undefined;
    for (const match of this.#matches(key)) last = read(withLabels(match)) ?? last;
    return last;
  }

  #string(key: string, value: HclValue, objectType?: string): string | undefined {
    switch (value.kind) {
      case 'string':
      case 'heredoc':
      case 'number':
      case 'null':
        return value.text;
      case 'bool':
      case 'float':
      case 'list':
      case 'object':
        this.#wrongType(key, value, ' for string', objectType);
        return undefined;
    }
  }

  #int(key: string, value: HclValue): number | undefined {
    if (value.kind !== 'number' && value.kind !== 'string' && value.kind !== 'null') {
      this.#wrongType(key, value);
      return undefined;
    }
    const number = parseInteger(value.text);
    if (typeof number === 'number') return number;
    this.#problem(`strconv.ParseInt: parsing ${goQuote(value.text)}: ${number}`, value);
    return undefined;
  }

  #bool(key: string, value: HclValue): boolean | undefined {
    if (value.kind === 'bool') return value.text === 'true';
    this.#wrongType(key, value);
    return undefined;
  }

  /** The elements of a list of blocks: blocks inside a block are its elements too, whatever their names. */
  #elements(match: HclItem): readonly HclValue[] {
    const value = withLabels(match);
    if (value.kind === 'list') return value.elements;
    if (value.kind !== 'object') return this.#wrong(value, 'unknown slice type: *ast.LiteralType');
    if (!value.items.every((item) => item.value.kind === 'object')) return [value];
    return value.items.map(({ keys, value: inner }) =>
      withLabels({ keys: keys.slice(1), value: inner }),
    );
  }

  #labelledItems(key: string): HclItem[] {
    return this.#matches(key).flatMap(({ keys, value }) => {
      if (keys.length > 0) return [{ keys, value }];
      if (value.kind === 'object') return value.items;
      return this.#wrong(
        value,
        `${this.#path(key)}: not an object type for map (${goType(value)})`,
      );
    });
  }

  #contentOf(item: HclItem, name: string): readonly HclItem[] {
    if (item.keys.length > 0) return [item];
    if (item.value.kind === 'object') return item.value.items;
    return this.#wrong(
      item.value,
      `${name}: not an object type for struct (${goType(item.value)})`,
    );
  }

  #wrongType(key: string, value: HclValue, wanted = '', objectType?: string): void {
    const place = objectType === undefined ? undefined : positionText(value.position);
    this.#wrong(
      value,
      `${this.#path(key)}: unknown type${wanted} ${goType(value, objectType)}`,
      place,
    );
  }

  #wrongItem(key: string, item: HclItem): [] {
    const position = item.keys[0]?.position ?? item.value.position;
    return this.#wrong(
      { ...item.value, position, ...(item.value.kind === 'object' && { items: [] }) },
      `${this.#path(key)}: unknown type for string *ast.ObjectItem`,
    );
  }

  /** In the library's form; it has no positions for what it read from JSON, and none for an empty block. */
  #wrong(value: HclValue, reason: string, place = shownPosition(value)): [] {
    this.#problem(`At ${this.#shared.positionsShown ? place : '-'}: ${reason}`, value);
    return [];
  }

  #problem(text: string, { position }: HclValue): void {
    this.problems.add(text, position);
  }

  #path(key: string): string {
    return `${this.#name}.${key}`;
  }
}

type SectionNode = {
  readonly items: readonly HclItem[];
  readonly position: Position;
  readonly name: string;
};

type Shared = {
  readonly problems: Problems;
  readonly positionsShown: boolean;
};

const fold = (key: string): string => key.toLowerCase();

/** A block with the labels that its key left, as the block that they stand for. */
function withLabels({ keys, value }: HclItem): HclValue {
  const [label] = keys;
  if (label === undefined) return value;
  return { kind: 'object', items: [{ keys, value }], position: label.position };
}

/** What the library's complaints call a value. */
function goType({ kind }: HclValue, objectType = '*ast.ObjectList'): string {
  if (kind === 'object') return objectType;
  return kind === 'list' ? '*ast.ListType' : '*ast.LiteralType';
}

function shownPosition(value: HclValue): string {
  if (value.kind !== 'object') return positionText(value.position);
  const first = value.items[0]?.keys[0];
  return first === undefined ? '-' : positionText(first.position);
}
