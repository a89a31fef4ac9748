import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { type Emitted, recordingMetrics } from '../../../test/kit/recording-metrics.ts';
import { Fault } from '../../base/fault.ts';
import { rateLimitKeys } from '../config/rate-limits.ts';
import { createRateLimits } from './rate-limits.ts';

const FETCH_X509 = '/SpiffeWorkloadAPI/FetchX509SVID';
const FETCH_JWT = '/SpiffeWorkloadAPI/FetchJWTSVID';
const set = (...selectors: string[]) => new Set(selectors);
const none = Object.fromEntries(rateLimitKeys.map((key) => [key, 0])) as Parameters<
  typeof createRateLimits
>[0];

function limitsOf(settings: Partial<typeof none>) {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const emitted: Emitted[] = [];
  const limits = createRateLimits(
    { ...none, ...settings },
    { clock, metrics: recordingMetrics(emitted), log: recordingLog(lines) },
  );
  const goesFree = (method: string, selectors: ReadonlySet<string>): boolean => {
    try {
      limits.take(method, selectors);
      return true;
    } catch (error) {
      assert.ok(error instanceof Fault);
      assert.equal(error.kind, 'unavailable');
      assert.equal(error.message, `rate limit exceeded for ${method}`);
      return false;
    }
  };
  return { clock, lines, emitted, goesFree };
}

test('so many calls at once, then so many a second', async () => {
  const { clock, goesFree } = limitsOf({ fetch_x509_svid: 2 });
  const taken = () => [1, 2, 3].map(() => goesFree(FETCH_X509, set('unix:uid:1')));
  assert.deepEqual(taken(), [true, true, false]);
  await clock.advance({ milliseconds: 500 });
  assert.deepEqual(taken(), [true, false, false]);
  await clock.advance({ seconds: 60 });
  assert.deepEqual(taken(), [true, true, false]);
});

test('each set of selectors, in whatever order, and each method counts for itself', () => {
  const { goesFree } = limitsOf({ fetch_x509_svid: 1, fetch_jwt_svid: 1 });
  assert.ok(goesFree(FETCH_X509, set('a:1', 'b:2')));
  assert.ok(!goesFree(FETCH_X509, set('b:2', 'a:1')));
  assert.ok(goesFree(FETCH_X509, set('a:1')));
  assert.ok(goesFree(FETCH_JWT, set('a:1', 'b:2')));
});

test('those of whom nothing is known share what they may have', () => {
  const { goesFree } = limitsOf({ fetch_x509_svid: 1 });
  assert.ok(goesFree(FETCH_X509, set()));
  assert.ok(!goesFree(FETCH_X509, set()));
});

test('what has no limit goes free', () => {
  const { goesFree, lines } = limitsOf({ fetch_x509_svid: 1 });
  for (let call = 0; call < 100; call++) assert.ok(goesFree(FETCH_JWT, set('a:1')));
  assert.deepEqual(
    lines.map(({ message, fields }) => [message, fields]),
    [['Workload API/SDS rate limiting enabled', { method: FETCH_X509, limit: 1 }]],
  );
});

test('who is turned away is counted', () => {
  const { goesFree, emitted } = limitsOf({ fetch_x509_svid: 1 });
  goesFree(FETCH_X509, set('a:1'));
  assert.deepEqual(emitted, []);
  goesFree(FETCH_X509, set('a:1'));
  assert.deepEqual(emitted, [
    ['counter', 'workload_api.rate_limit_exceeded', 1, { method: FETCH_X509 }],
  ]);
});

test('what is idle for two minutes is forgotten, and full when it comes back', async () => {
  const { clock, goesFree } = limitsOf({ fetch_x509_svid: 1 });
  goesFree(FETCH_X509, set('a:1'));
  await clock.advance({ seconds: 121 });
  assert.ok(goesFree(FETCH_X509, set('a:1')));
  assert.ok(!goesFree(FETCH_X509, set('a:1')));
});
