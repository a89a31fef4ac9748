import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { silentLog } from '../../src/ops/log.ts';
import type { Datastore, NewEntry } from '../../src/server/datastore/contract.ts';
import { openSqliteDatastore } from '../../src/server/datastore/open-sqlite.ts';
import type { Agent } from '../../src/spiffe/agent.ts';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { VirtualClock } from './clock.ts';

/** A folder that is gone after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'steeple-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The release that tests stand in for. */
export const CODE_VERSION = '1.16.0';

/** A datastore on that connection string, closed after the test. */
export async function openTestDatastore(
  t: TestContext,
  connectionString: string,
  options: Partial<Parameters<typeof openSqliteDatastore>[0]> = {},
): Promise<Datastore> {
  const datastore = await openSqliteDatastore({
    connectionString,
    codeVersion: CODE_VERSION,
    log: silentLog,
    clock: new VirtualClock(),
    ...options,
  });
  t.after(() => datastore[Symbol.asyncDispose]());
  return datastore;
}

/** An entry of the trust domain `test`, as a caller would give it. */
export function newEntry({
  spiffeId = '/workload',
  parentId = '/node',
  selectors = ['unix:uid:1000'],
  ...fields
}: Partial<Omit<NewEntry, 'spiffeId' | 'parentId' | 'selectors'>> & {
  /** Paths. */
  spiffeId?: string;
  parentId?: string;
  selectors?: readonly string[];
} = {}): NewEntry {
  return {
    id: '',
    spiffeId: SpiffeId.parse(`spiffe://test${spiffeId}`),
    parentId: SpiffeId.parse(`spiffe://test${parentId}`),
    selectors: selectors.map(parseSelector),
    x509SvidTtlSeconds: 0,
    jwtSvidTtlSeconds: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    expiresAt: 0,
    dnsNames: [],
    storeSvid: false,
    hint: '',
    additionalAttributes: undefined,
    ...fields,
  };
}

/** An agent of the trust domain `test`. */
export function newAgent({
  id = '/spire/agent/x509pop/one',
  selectors = [],
  ...fields
}: Partial<Omit<Agent, 'id' | 'selectors'>> & {
  id?: string;
  selectors?: readonly string[];
} = {}): Agent {
  return {
    id: SpiffeId.parse(`spiffe://test${id}`),
    attestationType: 'x509pop',
    serialNumber: '1',
    expiresAt: 2_000_000_000,
    newSerialNumber: '',
    newExpiresAt: undefined,
    canReattest: true,
    agentVersion: '1.16.0',
    selectors: selectors.map(parseSelector),
    ...fields,
  };
}

/** For reads of which every row must be sound. */
export const noneSkipped = (what: unknown): never => {
  throw new Error(`a row was skipped: ${JSON.stringify(what)}`);
};
