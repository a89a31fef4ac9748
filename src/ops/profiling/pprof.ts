import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A place in the program. */
export type Frame = {
  readonly functionName: string;
  readonly url: string;
  /** From 1 on; 0: not known. */
  readonly line: number;
};

/** What was found at one place of the program, with where that was called from. */
export type Sample = {
  /** Innermost first. */
  readonly stack: readonly Frame[];
  /** As many as there are kinds of values. */
  readonly values: readonly number[];
};

export type ProfileData = {
  /** What the values are: `cpu` in `nanoseconds`. */
  readonly valueTypes: readonly ValueType[];
  readonly samples: Iterable<Sample>;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly durationMilliseconds: number;
  /** What a sample stands for: one is taken each so many of these. */
  readonly period: number;
  readonly periodType: ValueType;
};

export type ValueType = { readonly type: string; readonly unit: string };

/** A profile in the form that `go tool pprof` and its like read, before compression (perftools.profiles.Profile). */
export function encodePprof(data: ProfileData): Uint8Array {
  const strings = new Numbers<string>();
  strings.of(''); // the first one is always empty
  const functions = new Numbers<string>();
  const locations = new Numbers<string>();
  const frames = new Map<string, Frame>();
  const writer = new BinaryWriter();
  const message = (field: number, write: (inner: BinaryWriter) => void): void => {
    writer.tag(field, WireType.LengthDelimited).fork();
    write(writer);
    writer.join();
  };
  const valueType = (field: number, { type, unit }: ValueType): void => {
    message(field, (w) => {
      integer(w, 1, strings.of(type));
      integer(w, 2, strings.of(unit));
    });
  };

  for (const type of data.valueTypes) valueType(1, type);
  for (const { stack, values } of data.samples) {
    const ids = stack.map((frame) => {
      const key = `${functionKey(frame)} ${frame.line}`;
      frames.set(key, frame);
      return locations.of(key) + 1;
    });
    message(2, (w) => {
      packed(w, 1, ids);
      packed(w, 2, values.map(Math.round));
    });
  }
  for (const [key, frame] of frames) {
    message(4, (w) => {
      integer(w, 1, locations.of(key) + 1);
      w.tag(4, WireType.LengthDelimited).fork();
      integer(w, 1, functions.of(functionKey(frame)) + 1);
      integer(w, 2, frame.line);
      w.join();
    });
  }
  const told = new Set<string>();
  for (const frame of frames.values()) {
    const key = functionKey(frame);
    if (told.has(key)) continue;
    told.add(key);
    message(5, (w) => {
      integer(w, 1, functions.of(key) + 1);
      integer(w, 2, strings.of(frame.functionName));
      integer(w, 3, strings.of(frame.functionName));
      integer(w, 4, strings.of(frame.url));
    });
  }
  valueType(11, data.periodType);
  for (const text of strings.all()) writer.tag(6, WireType.LengthDelimited).string(text);
  integer(writer, 9, Math.round(data.startedAt * 1e6));
  integer(writer, 10, Math.round(data.durationMilliseconds * 1e6));
  integer(writer, 12, Math.round(data.period));
  return writer.finish();
}

const functionKey = ({ functionName, url }: Frame): string => `${functionName} ${url}`;

const integer = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(String(value));

function packed(writer: BinaryWriter, field: number, values: readonly number[]): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  for (const value of values) writer.int64(String(value));
  writer.join();
}

/** Gives each thing a number, from 0 on, in the order of their first use. */
class Numbers<T> {
  readonly #numbers = new Map<T, number>();

  of(thing: T): number {
    const known = this.#numbers.get(thing);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(thing, number);
    return number;
  }

  all(): Iterable<T> {
    return this.#numbers.keys();
  }
}
