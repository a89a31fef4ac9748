import { Fault } from '../../base/fault.ts';
import { type GoJson, readGoJson } from './read-go-json.ts';

/** How Go's `encoding/json` fills a type: what it is called in complaints, and what a JSON value becomes. */
export type Shape<T> = {
  readonly goType: string;
  readonly zero: () => T;
  /** `null` is a value like others. */
  readonly takesNull?: boolean;
  /** `undefined` after a complaint: the place keeps the value that it has. */
  read(json: GoJson, place: Place): T | undefined;
};

/** Where in a document reading is; the first complaint is the one to tell, the others are lost, as in Go. */
export type Place = {
  readonly struct: string | undefined;
  readonly path: readonly string[];
  readonly complain: (fault: Fault) => void;
};

/** Reads a document into a shape; undefined for a bare `null`. Throws 'invalid' with Go's words. */
export function unmarshalGoJson<T>(shape: Shape<T>, text: string): T | undefined {
  const json = readGoJson(text);
  const complaints: Fault[] = [];
  const value = shape.read(json, {
    struct: undefined,
    path: [],
    complain: (fault) => complaints.push(fault),
  });
  const [first] = complaints;
  if (first !== undefined) throw first;
  return value;
}

export const textShape: Shape<string> = {
  goType: 'string',
  zero: () => '',
  read: (json, place) =>
    json.kind === 'string' ? json.value : mismatch(json, json.kind, textShape.goType, place),
};

export const boolShape: Shape<boolean> = {
  goType: 'bool',
  zero: () => false,
  read: (json, place) =>
    json.kind === 'bool' ? json.value : mismatch(json, json.kind, boolShape.goType, place),
};

/** Kept as it stands, for those who read it later; undefined if it is absent. */
export const rawShape: Shape<GoJson | undefined> = {
  goType: 'json.RawMessage',
  zero: () => undefined,
  takesNull: true,
  read: (json) => json,
};

const intShape = (bits: 32 | 64): Shape<bigint> => ({
  goType: `int${bits}`,
  zero: () => 0n,
  read(json, place) {
    if (json.kind !== 'number') return mismatch(json, json.kind, this.goType, place);
    const value = /^-?\d{1,20}$/.test(json.digits) ? BigInt(json.digits) : undefined;
    if (value !== undefined && BigInt.asIntN(bits, value) === value) return value;
    return mismatch(json, `number ${json.digits}`, this.goType, place);
  },
});

export const int32Shape: Shape<number> = {
  ...intShape(32),
  zero: () => 0,
  read(json, place) {
    const value = intShape(32).read(json, place);
    return value === undefined ? undefined : Number(value);
  },
};

export const int64Shape: Shape<bigint> = intShape(64);

export const listShape = <T>(item: Shape<T>): Shape<readonly T[]> => ({
  goType: `[]${item.goType}`,
  zero: () => [],
  read(json, place) {
    if (json.kind !== 'array') return mismatch(json, json.kind, this.goType, place);
    return json.items.map((element) => readOr(item, element, place, item.zero()));
  },
});

/** What may be absent: `null` makes it so. */
export const pointerShape = <T>(target: Shape<T>): Shape<T | undefined> => ({
  goType: `*${target.goType}`,
  zero: () => undefined,
  // Go names the type pointed to.
  read: (json, place) => target.read(json, place),
});

export type Fields = Readonly<Record<string, Shape<unknown>>>;
export type Struct<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Shape<infer T> ? T : never;
};

/** Members are found whatever their case; those that are not known are passed over. */
export const structShape = <F extends Fields>(
  packageName: string,
  name: string,
  fields: F,
): Shape<Struct<F>> => ({
  goType: `${packageName}.${name}`,
  zero: () =>
    Object.fromEntries(
      Object.entries(fields).map(([field, shape]) => [field, shape.zero()]),
    ) as Struct<F>,
  read(json, place) {
    if (json.kind !== 'object') return mismatch(json, json.kind, this.goType, place);
    const values: Record<string, unknown> = this.zero();
    for (const [member, value] of json.members) {
      const found = findField(fields, member);
      if (found === undefined) continue;
      const [field, shape] = found;
      const inner = { ...place, struct: name, path: [...place.path, field] };
      values[field] = readOr(shape, value, inner, values[field]);
    }
    return values as Struct<F>;
  },
});

function findField(fields: Fields, member: string): readonly [string, Shape<unknown>] | undefined {
  const exact = Object.entries(fields).find(([field]) => field === member);
  const folded = member.toLowerCase();
  return exact ?? Object.entries(fields).find(([field]) => field.toLowerCase() === folded);
}

/** `null` leaves a place as it is, but makes a pointer point nowhere. */
function readOr<T>(shape: Shape<T>, json: GoJson, place: Place, present: T): T {
  if (json.kind === 'null' && shape.takesNull !== true)
    return shape.goType.startsWith('*') ? shape.zero() : present;
  return shape.read(json, place) ?? present;
}

function mismatch(
  json: GoJson,
  what: string,
  goType: string,
  { struct, path, complain }: Place,
): undefined {
  if (json.kind === 'null') return undefined;
  const target =
    struct === undefined
      ? `Go value of type`
      : `Go struct field ${struct}.${path.join('.')} of type`;
  complain(new Fault('invalid', `json: cannot unmarshal ${what} into ${target} ${goType}`));
  return undefined;
}
