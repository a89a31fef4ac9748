import { mutate, type randomFrom } from './mutate.ts';

type Random = ReturnType<typeof randomFrom>;

/** A DER value taken apart: constructed ones into their members. */
type Node = { tag: number; content: Uint8Array | Node[] };

/** Changes a valid DER value where it stays well formed: members lost, doubled, swapped, of another type or content. */
export function mutateDer(pool: readonly Uint8Array[], random: Random): Uint8Array {
  const [root, other] = [pick(pool, random), pick(pool, random)].map(parse);
  if (root === undefined || other === undefined) return mutate(pool, random);
  for (let left = 1 + random(3); left > 0; left--) change(root, other, random);
  return encode(root);
}

function change(root: Node, other: Node, random: Random): void {
  const parents = constructedOf(root);
  const parent = parents[random(parents.length)];
  if (parent === undefined || !Array.isArray(parent.content)) return;
  const members = parent.content;
  const at = random(members.length + 1);
  const member = members[at];
  const changes: (() => void)[] = [
    () => members.splice(at, 1),
    () => members.splice(at, 0, ...members.slice(at, at + 1)),
    () => members.reverse(),
    () => members.splice(at, 0, copied(other, random)),
    () => members.splice(at, 1, copied(other, random)),
    () => {
      if (member !== undefined) member.tag = random(256);
    },
    () => {
      parent.tag = (parent.tag & 0xe0) | random(32);
    },
    () => {
      if (member !== undefined) member.content = [{ tag: member.tag, content: member.content }];
    },
    ...Array.from({ length: 6 }, () => () => {
      if (member?.content instanceof Uint8Array) member.content = mutate([member.content], random);
    }),
  ];
  changes[random(changes.length)]?.();
}

function copied(other: Node, random: Random): Node {
  const parents = constructedOf(other);
  return structuredClone(parents[random(parents.length)] ?? other);
}

function constructedOf(node: Node): Node[] {
  if (!Array.isArray(node.content)) return [];
  return [node, ...node.content.flatMap(constructedOf)];
}

/** Reads valid DER; what looks like DER inside an OCTET STRING or BIT STRING is taken apart too. */
function parse(der: Uint8Array): Node | undefined {
  const [node, end] = parseAt(der, 0) ?? [];
  return end === der.length ? node : undefined;
}

function parseAt(der: Uint8Array, start: number): [Node, number] | undefined {
  const [tag, first] = der.subarray(start);
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  const count = first < 0x80 ? 0 : first & 0x7f;
  let length = count === 0 ? first : 0;
  for (let i = 0; i < count; i++) length = length * 256 + (der[start + 2 + i] ?? 0);
  const at = start + 2 + count;
  if (count > 3 || at + length > der.length) return undefined;
  const content = der.subarray(at, at + length);
  const members = (tag & 0x20) !== 0 || tag === 4 ? parseMembers(content) : undefined;
  return [{ tag, content: members ?? content }, at + length];
}

function parseMembers(content: Uint8Array): Node[] | undefined {
  const members: Node[] = [];
  for (let at = 0; at < content.length; ) {
    const [member, next] = parseAt(content, at) ?? [];
    if (member === undefined || next === undefined) return undefined;
    members.push(member);
    at = next;
  }
  return members;
}

function encode({ tag, content }: Node): Uint8Array {
  const bytes = Array.isArray(content) ? Buffer.concat(content.map(encode)) : content;
  const length = bytes.length;
  const header =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return new Uint8Array(Buffer.concat([Uint8Array.from(header), bytes]));
}

const pick = (pool: readonly Uint8Array[], random: Random): Uint8Array =>
  pool[random(pool.length)] ?? new Uint8Array();
