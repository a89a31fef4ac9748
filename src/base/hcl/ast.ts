import type { Position } from './position.ts';

/** A key or a label. */
export type HclKey = {
  readonly name: string;
  readonly position: Position;
  /** Written without quotes, or in JSON. SPIRE reports only such keys when it does not know them. */
  readonly bare: boolean;
};

/** `key = value`, `key { ... }` or `key "label" { ... }`: one key or more, of which all but the first are labels. */
export type HclItem = { readonly keys: readonly HclKey[]; readonly value: HclValue };

export type HclObject = {
  readonly kind: 'object';
  readonly items: readonly HclItem[];
  readonly position: Position;
};

export type HclList = {
  readonly kind: 'list';
  readonly elements: readonly HclValue[];
  readonly position: Position;
};

export type HclLiteral = {
  /** `null` exists in JSON only. */
  readonly kind: 'string' | 'heredoc' | 'number' | 'float' | 'bool' | 'null';
  /** What a string means; of all others, how they are written. */
  readonly text: string;
  readonly position: Position;
};

export type HclValue = HclObject | HclList | HclLiteral;

export type HclFile = {
  readonly root: HclObject;
  /** JSON has nothing but positions of syntax errors: what the reference complains of later reads `At -: ...`. */
  readonly syntax: 'hcl' | 'json';
};
