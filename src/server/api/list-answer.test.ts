import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { testCall } from '../../../test/kit/api-call.ts';
import { ListFederatedBundlesResponseSchema } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { BundleSchema } from '../../wire/gen/spire/api/types/bundle_pb.ts';
import { encoderOf, listAnswer } from './list-answer.ts';

const BUNDLES = ListFederatedBundlesResponseSchema.field.bundles.number;
const encode = encoderOf(BundleSchema);
const bundles = Array.from({ length: 500 }, (_, index) => ({
  trustDomain: `td-${index}.test`,
  x509Authorities: [{ asn1: new Uint8Array(1000) }],
}));

const answer = (call = testCall()) =>
  listAnswer(
    ListFederatedBundlesResponseSchema,
    BUNDLES,
    encode,
    { values: bundles, nextPageToken: '7' },
    call,
  );

test('the page arrives whole, in its order, with its token', async () => {
  const { bytes } = await answer();
  const { bundles: read, nextPageToken } = fromBinary(ListFederatedBundlesResponseSchema, bytes);
  assert.deepEqual(
    read.map(({ trustDomain }) => trustDomain),
    bundles.map(({ trustDomain }) => trustDomain),
  );
  assert.equal(nextPageToken, '7');
});

test('others have their turn while a long list is serialised', async () => {
  const over = answer().then(() => 'over');
  let turns = 0;
  while ((await Promise.race([over, turn()])) !== 'over') turns++;
  assert.ok(turns > 10, `${turns} turns`);
});

test('a list that nobody waits for any more is left', async () => {
  const gone = new AbortController();
  const answering = answer(testCall({ signal: gone.signal }));
  gone.abort(new Error('gone'));
  await assert.rejects(answering, { message: 'gone' });
});
