import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answers } from './answers.ts';
import type { AgentName, Identities } from './history.ts';

export const handOverFixture = join(import.meta.dirname, '../../data/fixtures/hand-over');

/** Certificates and keys that the recorded history was played with; bytes in base64. */
export type Inputs = {
  /** Of other trust domains, and one that joins the own bundle. */
  readonly roots: Readonly<Record<'one' | 'two' | 'four' | 'own', string>>;
  readonly jwtKey: string;
  readonly nodeCa: string;
  readonly nodes: readonly { readonly certificate: string; readonly privateKey: string }[];
};

const readJson = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(join(handOverFixture, name), 'utf8'));

export const readInputs = async (): Promise<Inputs> => (await readJson('inputs.json')) as Inputs;

/** What SPIRE answered when it was started again on what it had left. */
export const readRecordedAnswers = async (name: string): Promise<Answers> =>
  (await readJson(name)) as Answers;

type StoredIdentity = { readonly chain: readonly string[]; readonly privateKey: string };

/** What SPIRE gave the agents of the recorded history. */
export async function readIdentities(): Promise<Identities> {
  const stored = (await readJson('identities.json')) as Record<AgentName, StoredIdentity>;
  return mapValues(stored, ({ chain, privateKey }) => ({
    chain: chain.map(fromBase64),
    privateKey: fromBase64(privateKey),
  }));
}

export const identitiesText = (identities: Identities): string =>
  JSON.stringify(
    mapValues(identities, ({ chain, privateKey }) => ({
      chain: chain.map(toBase64),
      privateKey: toBase64(privateKey),
    })),
    null,
    1,
  );

const mapValues = <From, To>(
  record: Readonly<Record<AgentName, From>>,
  map: (value: From) => To,
): Record<AgentName, To> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)])) as Record<
    AgentName,
    To
  >;

export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(text, 'base64'));
