import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { Fault, type FaultKind, wrapFault } from '../../base/fault.ts';
import { logRefusal, notFound, PlainFault, rethrow } from './refusal.ts';

const locked = new Fault('unknown', 'datastore-sql: database is locked');
const missing = new Fault('not-found', 'datastore-sql: record not found');

const composed: [why: string, thrown: () => never, kind: FaultKind, message: string][] = [
  [
    'any failure as internal',
    () => rethrow('failed to ban agent')(locked),
    'internal',
    'failed to ban agent: datastore-sql: database is locked',
  ],
  [
    'not found in other words, without the inner ones',
    () => rethrow('failed', { notFound: 'agent not found' })(missing),
    'not-found',
    'agent not found',
  ],
  [
    'not found as a failure like others',
    () => rethrow('failed')(missing),
    'internal',
    'failed: datastore-sql: record not found',
  ],
  [
    'with the kind kept',
    () => rethrow('failed', { kind: 'keep' })(missing),
    'not-found',
    'failed: datastore-sql: record not found',
  ],
  [
    'with unknown as internal where the kind is kept',
    () => rethrow('failed', { kind: 'keep' })(locked),
    'internal',
    'failed: datastore-sql: database is locked',
  ],
  [
    'a bug',
    () => rethrow('failed')(new TypeError('x is undefined')),
    'internal',
    'failed: x is undefined',
  ],
];
for (const [why, thrown, kind, message] of composed) {
  test(`rethrows ${why}`, () => {
    assert.throws(thrown, { kind, message });
  });
}

const logged: [
  why: string,
  thrown: unknown,
  line: LogLine | undefined,
  audited?: Record<string, string>,
][] = [
  [
    'whom the call was about, and of the rest of the audit record nothing',
    notFound('agent not found', missing),
    { message: 'Agent not found', fields: { spiffe_id: 'spiffe://example.org/spire/agent/a' } },
    { spiffe_id: 'spiffe://example.org/spire/agent/a', entry_id: '', csr: 'c0ffee' },
  ],
  [
    'an invalid argument',
    new Fault('invalid', 'missing ID'),
    { message: 'Invalid argument: missing ID', fields: {} },
  ],
  [
    'an invalid argument with its reason',
    wrapFault('invalid agent ID', new Fault('invalid', 'trust domain is missing')),
    { message: 'Invalid argument: invalid agent ID', fields: { error: 'trust domain is missing' } },
  ],
  [
    'a failure of the datastore as the status it is',
    wrapFault('failed to ban agent', locked, 'internal'),
    {
      message: 'Failed to ban agent',
      fields: { error: 'rpc error: code = Unknown desc = datastore-sql: database is locked' },
    },
  ],
  [
    'what is not found without its reason',
    notFound('agent not found', missing),
    { message: 'Agent not found', fields: {} },
  ],
  [
    'nothing of what SPIRE does not log',
    new PlainFault('already-exists', 'similar entry already exists'),
    undefined,
  ],
  ['nothing where the caller has gone', new Fault('canceled', 'context canceled'), undefined],
];
for (const [why, thrown, line, audited] of logged) {
  test(`logs ${why}`, () => {
    const lines: LogLine[] = [];
    logRefusal(recordingLog(lines), thrown, audited);
    assert.deepEqual(lines, line === undefined ? [] : [line]);
  });
}
