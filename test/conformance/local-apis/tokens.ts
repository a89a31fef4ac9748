import type { JsonValue } from '@bufbuild/protobuf';
import type { World } from './world.ts';

/** A token as the cases write it: what it says, with marks for what is only known when it runs. */
export type TokenMark = {
  readonly header: { readonly [name: string]: string };
  readonly claims: { readonly aud?: string | string[]; readonly sub?: string };
};

export const isTokenMark = (value: unknown): value is TokenMark =>
  typeof value === 'object' && value !== null && 'header' in value && 'claims' in value;

/** Tokens whose header is as our server writes it are signed by it; the others carry a signature of nobody. */
export async function tokenOf(mark: TokenMark, world: World): Promise<string> {
  const { kid, typ } = mark.header;
  if (kid === '<kid>' && typ === 'JWT') {
    const path = (mark.claims.sub ?? '').replace('spiffe://local.test', '');
    return world.mintJwt(path, [mark.claims.aud ?? []].flat());
  }
  const known = await world.mintJwt('/web', ['a']);
  const header = JSON.parse(Buffer.from(known.split('.')[0] ?? '', 'base64url').toString()) as {
    kid: string;
  };
  const now = Math.floor(Date.now() / 1000);
  const value = (text: JsonValue): JsonValue => {
    if (text === '<kid>') return header.kid;
    if (text === '<time>') return now;
    if (text === '<time past>') return now - 3600;
    if (text === '<time to come>') return now + 3600;
    const after = typeof text === 'string' ? /^<iat \+ (\d+)>$/.exec(text)?.[1] : undefined;
    return after === undefined ? text : now + Number(after);
  };
  const part = (members: object) =>
    Buffer.from(
      JSON.stringify(
        Object.fromEntries(
          Object.entries(members).map(([name, member]) => [name, value(member as JsonValue)]),
        ),
      ),
    ).toString('base64url');
  const signature = Buffer.alloc(64, 1).toString('base64url');
  return `${part(mark.header)}.${part(mark.claims)}.${signature}`;
}
