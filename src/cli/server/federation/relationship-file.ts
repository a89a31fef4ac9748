import { Fault, wrapFault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import type { FederationRelationship } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import type { Env } from '../../kit/env.ts';
import { readInput } from '../../kit/files.ts';
import {
  listShape,
  pointerShape,
  rawShape,
  type Shape,
  structShape,
  textShape,
  unmarshalGoJson,
} from '../../kit/go-json-shape.ts';
import { within } from '../../kit/prefixed.ts';
import { type GoJson, goJsonText } from '../../kit/read-go-json.ts';
import { bundleFormat } from '../bundle/bundle-format.ts';
import { relationshipMessage } from './relationship-message.ts';

/** A relationship in a file (`reference/cli.md` §4.9.1). */
const fileRelationship = structShape('federation', 'federationRelationshipConfig', {
  trustDomain: textShape,
  bundleEndpointURL: textShape,
  bundleEndpointProfile: textShape,
  endpointSpiffeID: textShape,
  trustDomainBundle: rawShape,
  trustDomainBundleFormat: textShape,
});

const relationshipsFile = structShape('federation', 'federationRelationships', {
  federationRelationships: listShape(pointerShape(fileRelationship)),
});

type FileRelationship = typeof fileRelationship extends Shape<infer T> ? T : never;

/** The relationships of a `-data` file. One bad item spoils all. Throws 'invalid', or what reading the file throws. */
export async function readRelationshipFile(
  path: string,
  env: Pick<Env, 'readStdin'>,
): Promise<FederationRelationship[]> {
  const text = Buffer.from(await readInput(path, env)).toString();
  const file = within('failed to parse JSON', () => unmarshalGoJson(relationshipsFile, text));
  const messages: FederationRelationship[] = [];
  for (const [index, item] of (file?.federationRelationships ?? []).entries()) {
    try {
      messages.push(await itemMessage(item));
    } catch (error) {
      throw wrapFault(`could not parse item ${index}`, error);
    }
  }
  return messages;
}

async function itemMessage(item: FileRelationship | undefined): Promise<FederationRelationship> {
  if (item === undefined) throw new Fault('invalid', 'missing federation relationship');
  return relationshipMessage(item, async (trustDomain) => {
    const { trustDomainBundle: raw, trustDomainBundleFormat: format } = item;
    if (raw === undefined) return undefined;
    return within('cannot parse bundle raw message', () =>
      bundleFormat(format).read(trustDomain, bundleContent(raw, format)),
    );
  });
}

/** PEM stands in a string; a bundle document is part of the file. */
function bundleContent(raw: GoJson, format: string): Uint8Array {
  if (format === 'spiffe') return Buffer.from(goJsonText(raw));
  if (format !== 'pem') {
    throw new Fault('invalid', `bundle format ${goQuote(format)} is unsupported`);
  }
  const text = within('failed to unmarshal json', () =>
    unmarshalGoJson(textShape, goJsonText(raw)),
  );
  return Buffer.from(text ?? '');
}
