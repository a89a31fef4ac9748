/**
 * Writes to the datastore named by the first argument until it is killed, by several callers at once, and says on
 * standard output what was acknowledged: one line each, written before the next thing is asked.
 */
import { writeSync } from 'node:fs';
import { silentLog } from '../../src/ops/log.ts';
import type { Datastore } from '../../src/server/datastore/contract.ts';
import { openSqliteDatastore } from '../../src/server/datastore/open-sqlite.ts';
import { emptyBundle } from '../../src/spiffe/bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { newAgent, newEntry } from '../kit/datastore.ts';

const CALLERS = 4;
const [connectionString = '', round = '0'] = process.argv.slice(2);
const bundleName = TrustDomain.parse('test');

/** Standard output is a pipe: what was written is with the reader, whatever becomes of this process. */
const acknowledged = (what: string) => writeSync(1, `${what}\n`);

const datastore = await openSqliteDatastore({
  connectionString,
  codeVersion: '1.16.0',
  log: silentLog,
  clock: Date,
});
acknowledged('opened');
for (let caller = 0; caller < CALLERS; caller++) void write(datastore, caller);

async function write({ entries, agents, bundles, joinTokens }: Datastore, caller: number) {
  const id = `/spire/agent/${caller}`;
  for (let turn = 1; ; turn++) {
    const name = `${round}-${caller}-${turn}`;
    const entry = newEntry({
      id: name,
      spiffeId: `/${name}`,
      selectors: ['a:1', 'b:2'],
      dnsNames: ['one.test'],
    });
    await entries.create(entry);
    acknowledged(`created ${name}`);
    await entries.update({ ...entry, hint: 'updated' }, new Set(['hint', 'selectors']));
    acknowledged(`updated ${name}`);
    await joinTokens.create({ token: name, expiresAt: turn });
    acknowledged(`token ${name}`);
    if (turn % 2 === 0) {
      await entries.delete(name);
      acknowledged(`deleted ${name}`);
      await joinTokens.spend(name);
      acknowledged(`spent ${name}`);
    }
    const { value } = await agents.attested(
      newAgent({
        id,
        serialNumber: `${round}${String(turn).padStart(9, '0')}`,
        selectors: ['a:1', 'b:2'],
      }),
    );
    acknowledged(`agent ${caller} ${value.serialNumber}`);
    const bundle = await bundles.modify(bundleName, (stored = emptyBundle(bundleName)) => ({
      ...stored,
      sequenceNumber: stored.sequenceNumber + 1n,
    }));
    acknowledged(`bundle ${bundle?.value.sequenceNumber}`);
  }
}
