import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import type { randomFrom } from './mutate.ts';

type Random = ReturnType<typeof randomFrom>;

/** What fields are filled with, beside what is random: values that are right, and such that are nearly so. */
export type Vocabulary = {
  readonly texts: readonly string[];
  readonly bytes: readonly Uint8Array[];
};

/** Nothing in the API nests deeper. */
const MAX_DEPTH = 5;
const LISTS = [0, 1, 1, 1, 2, 3, 60];

/** A message of that kind whose every field is drawn, in the form that the wire has. */
export function randomMessage(
  schema: DescMessage,
  random: Random,
  vocabulary: Vocabulary,
): Uint8Array {
  return toBinary(schema, build(schema, { random, vocabulary, depth: 0 }));
}

type Draw = { readonly random: Random; readonly vocabulary: Vocabulary; readonly depth: number };

function build(schema: DescMessage, draw: Draw): Message {
  const init: Record<string, unknown> = {};
  for (const member of schema.members) {
    if (member.kind === 'oneof') {
      const field = pick(member.fields, draw.random);
      if (field === undefined || draw.random(5) === 0) continue;
      init[member.localName] = { case: field.localName, value: fieldValue(field, draw) };
    } else if (draw.random(4) > 0) {
      init[member.localName] = fieldValue(member, draw);
    }
  }
  return create(schema, init);
}

function fieldValue(field: DescField, draw: Draw): unknown {
  switch (field.fieldKind) {
    case 'scalar':
      return scalar(field.scalar, draw);
    case 'enum':
      return draw.random(4) === 0
        ? draw.random(1000)
        : (pick(field.enum.values, draw.random)?.number ?? 0);
    case 'message':
      return nested(field.message, draw);
    case 'list': {
      const length = pick(LISTS, draw.random) ?? 0;
      return Array.from({ length: draw.depth > 1 ? Math.min(length, 3) : length }, () => {
        if (field.listKind === 'message') return nested(field.message, draw);
        return field.listKind === 'scalar' ? scalar(field.scalar, draw) : draw.random(10);
      });
    }
    case 'map':
      throw new TypeError('no message of the API has a map');
    default:
      return field satisfies never;
  }
}

const nested = (schema: DescMessage, draw: Draw): Message =>
  draw.depth >= MAX_DEPTH ? create(schema) : build(schema, { ...draw, depth: draw.depth + 1 });

const NUMBERS = [0, 1, -1, 2, 60, 3600, 86_400, 500, 501, 2 ** 31 - 1, -(2 ** 31)];
const LARGE = [...NUMBERS, 2 ** 53, -(2 ** 53), 4_102_444_800].map(BigInt);
const LARGEST = [...LARGE, 2n ** 63n - 1n, -(2n ** 63n)];

function scalar(type: ScalarType, { random, vocabulary }: Draw): unknown {
  switch (type) {
    case ScalarType.STRING:
      return text(random, vocabulary);
    case ScalarType.BYTES:
      return random(3) === 0 ? noise(random) : pick(vocabulary.bytes, random);
    case ScalarType.BOOL:
      return random(2) === 0;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return pick(LARGEST, random);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return BigInt.asUintN(64, pick(LARGEST, random) ?? 0n);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return (pick(NUMBERS, random) ?? 0) >>> 0;
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return pick(NUMBERS, random);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return random(1000) / 7;
    default:
      return type satisfies never;
  }
}

const ODD_TEXTS = ['', ' ', '/', '//', '\0', '\u{1f600}', 'ä', "'; drop table bundles; --", '%s%n'];

function text(random: Random, { texts }: Vocabulary): string {
  const known = pick(texts, random) ?? '';
  switch (random(8)) {
    case 0:
      return pick(ODD_TEXTS, random) ?? '';
    case 1:
      return known + (pick(ODD_TEXTS, random) ?? '');
    case 2:
      return known.slice(0, random(known.length + 1));
    case 3:
      return 'x'.repeat(random(random(4) === 0 ? 70_000 : 300));
    default:
      return known;
  }
}

const noise = (random: Random): Uint8Array =>
  Uint8Array.from({ length: random(random(8) === 0 ? 5000 : 40) }, () => random(256));

const pick = <T>(list: readonly T[], random: Random): T | undefined => list[random(list.length)];
