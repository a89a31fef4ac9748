import type { DescField, DescMessage, DescOneof, Message } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';

/**
 * A message as Go's `encoding/json` writes the generated struct, which is what policies see of it
 * (`reference/server.md` §5.5): proto names, nothing of what is empty, enums and 64-bit integers as numbers, bytes in
 * base64, a oneof as an object under its Go name. For `JSON.stringify`.
 */
export function goJson(schema: DescMessage, message: Message): unknown {
  const view = reflect(schema, message);
  const members: Record<string, unknown> = {};
  const whole = message as unknown as Readonly<Record<string, unknown>>;
  for (const member of schema.members) {
    if (member.kind === 'oneof') members[goName(member.name)] = oneofJson(member, whole);
    else if (member.fieldKind === 'message' && isWrapperDesc(member.message)) {
      const value = whole[member.localName];
      if (value !== undefined) members[member.name] = wrapperJson(value);
    } else if (view.isSet(member))
      members[member.name] = fieldJson(member, whole[member.localName]);
  }
  return members;
}

/** null where none of its members is set. */
function oneofJson(oneof: DescOneof, message: Readonly<Record<string, unknown>>): unknown {
  const { case: chosen, value } = message[oneof.localName] as { case?: string; value?: unknown };
  const field = oneof.fields.find(({ localName }) => localName === chosen);
  return field === undefined ? null : { [goName(field.name)]: fieldJson(field, value) };
}

/** `google.protobuf.BoolValue` and its like, of which we keep the value alone; Go leaves out what is empty. */
const wrapperJson = (value: unknown): unknown =>
  value === false || value === '' || Number(value) === 0 ? {} : { value: scalarJson(value) };

function fieldJson(field: DescField, value: unknown): unknown {
  switch (field.fieldKind) {
    case 'message':
      return goJson(field.message, value as Message);
    case 'list':
      return (value as readonly unknown[]).map((item) =>
        field.listKind === 'message' ? goJson(field.message, item as Message) : scalarJson(item),
      );
    case 'map':
      return Object.fromEntries(
        Object.entries(value as Readonly<Record<string, unknown>>).map(([key, item]) => [
          key,
          field.mapKind === 'message' ? goJson(field.message, item as Message) : scalarJson(item),
        ]),
      );
    case 'enum':
    case 'scalar':
      return scalarJson(value);
    default:
      return field satisfies never;
  }
}

function scalarJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'bigint') return exactNumber(value);
  return value;
}

/** Written with all its digits, which a JavaScript number does not have. */
const exactNumber = (value: bigint): unknown =>
  (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));

/** `bundle_endpoint_profile` is `BundleEndpointProfile` in Go. */
const goName = (name: string): string =>
  name.replaceAll(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
