/**
 * What peers send beside gRPC messages: bundle documents, JWT-SVIDs, headers of the PROXY protocol, attestation
 * payloads. Damaged ones are refused with a Fault, quickly. `FUZZ_COUNT` says how many in all, `FUZZ_SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import {
  readPayload,
  readResponse,
  writePayload,
} from '../../src/plugins/node-attestor/x509pop/messages.ts';
import { answerChallenge, createChallenge } from '../../src/plugins/node-attestor/x509pop/proof.ts';
import {
  MAX_PROXY_HEADER_BYTES,
  readProxyHeader,
} from '../../src/server/endpoints/proxy-protocol/proxy-header.ts';
import { emptyBundle } from '../../src/spiffe/bundle.ts';
import {
  readBundleDocument,
  readSpiffeBundle,
  writeBundleDocument,
} from '../../src/spiffe/bundle-document.ts';
import { parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { parseBundleEndpointUrl } from '../../src/wire/federation-relationship.ts';
import { storedBundleFromBytes, storedBundleToBytes } from '../../src/wire/stored-bundle.ts';
import { leafOf, rootAuthority } from '../kit/certificates.ts';
import { sharedKey } from '../kit/keys.ts';
import { signed } from './crypto-decoders.ts';
import { mutate, randomFrom } from './mutate.ts';

const COUNT = Math.ceil(Number(process.env['FUZZ_COUNT'] ?? 200_000) / 10);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
/** No input of these sizes may take so long, twice in a row. */
const SLOW_MILLISECONDS = 100;

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const textOf = (input: Uint8Array): string => Buffer.from(input).toString('latin1');
const hex = (input: Uint8Array): string => Buffer.from(input).toString('hex');

const trustDomain = TrustDomain.parse('example.org');
const root = await rootAuthority('root');
const node = await leafOf(root, '', { uris: [] });
const [ec, rsa] = await Promise.all([sharedKey('ec-p256'), sharedKey('rsa-2048')]);
const bundle = {
  ...emptyBundle(trustDomain),
  x509Authorities: [{ der: root.certificate.der, tainted: true }],
  jwtAuthorities: [ec, rsa].map(({ publicKey }, index) => ({
    publicKey: publicKey.spki,
    keyId: `key-${index}`,
    expiresAt: 4_000_000_000,
    tainted: false,
  })),
  sequenceNumber: 7n,
  refreshHintSeconds: 60,
};
const document = bytes(writeBundleDocument(bundle));

const proxyV2 = (family: number, addresses: readonly number[]) =>
  Uint8Array.from([
    ...Buffer.from('\r\n\r\n\0\r\nQUIT\n'),
    0x21,
    family,
    0,
    addresses.length,
    ...addresses,
    0x16,
  ]);

/** A decoder, and valid inputs to start from. */
type Decoder = {
  readonly seeds: readonly Uint8Array[];
  readonly decode: (input: Uint8Array) => void;
};

const decoders: Readonly<Record<string, Decoder>> = {
  'a bundle document': {
    seeds: [document],
    decode: (input) => readBundleDocument(trustDomain, input),
  },
  'a bundle document of a client': {
    seeds: [document],
    decode: (input) => readSpiffeBundle(trustDomain, input),
  },
  'a stored bundle': {
    seeds: [storedBundleToBytes(bundle)],
    decode: (input) => storedBundleFromBytes(input),
  },
  'a JWT-SVID': {
    seeds: [bytes(signed.token)],
    decode: (input) => parseJwtSvidUnverified(textOf(input), [], 0),
  },
  'a PROXY header': {
    seeds: [
      bytes('PROXY TCP4 192.0.2.1 198.51.100.1 4711 8081\r\n\x16'),
      bytes('PROXY TCP6 2001:db8::1 2001:db8::2 4711 8081\r\n'),
      bytes('PROXY UNKNOWN\r\n'),
      proxyV2(0x11, [192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 0x1f, 0x91]),
      proxyV2(0x21, [...Array<number>(36).keys()]),
    ],
    decode(input) {
      const header = readProxyHeader(input);
      if (header === undefined || header === 'incomplete') return;
      assert.ok(
        header.length > 0 && header.length <= Math.min(input.length, MAX_PROXY_HEADER_BYTES),
      );
    },
  },
  'an x509pop payload': {
    seeds: [writePayload([node.certificate.der, root.certificate.der])],
    decode: (input) => readPayload(input),
  },
  'a SPIFFE ID': {
    seeds: [bytes('spiffe://example.org/a/b'), bytes('spiffe://example.org')],
    decode: (input) => SpiffeId.parse(textOf(input)),
  },
  "a bundle endpoint's URL": {
    seeds: [bytes('https://example.org:8443/a?b=c'), bytes('https://[2001:db8::1]/')],
    decode: (input) => parseBundleEndpointUrl(textOf(input)),
  },
};

const share = Math.ceil(COUNT / Object.keys(decoders).length);

for (const [name, { seeds, decode }] of Object.entries(decoders)) {
  test(`${name}: the seeds are accepted, and of changed ones what is right`, (t) => {
    for (const seed of seeds) decode(seed);
    const random = randomFrom(SEED);
    let accepted = 0;
    for (let turn = 0; turn < share; turn++) {
      const input = mutate(seeds, random);
      const started = performance.now();
      if (answers(decode, input)) accepted++;
      if (performance.now() - started < SLOW_MILLISECONDS) continue;
      const again = performance.now();
      answers(decode, input);
      assert.ok(performance.now() - again < SLOW_MILLISECONDS, `slow: ${hex(input)}`);
    }
    t.diagnostic(`${share} inputs, ${accepted} accepted, seed ${SEED}`);
    assert.ok(accepted < share, 'everything was accepted');
  });
}

/** Whether the input was accepted. Fails for an answer that is neither a value nor a refusal. */
function answers(decode: (input: Uint8Array) => void, input: Uint8Array): boolean {
  try {
    decode(input);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.kind === 'invalid') return false;
    throw new Error(`seed ${SEED}, input ${hex(input)}`, { cause: error });
  }
}

const PROOFS = Math.min(2000, Math.ceil(COUNT / 40));

for (const [kind, key] of Object.entries({ ec, rsa })) {
  test(`no changed answer proves that one has the ${kind} key of a certificate`, async () => {
    const random = randomFrom(SEED);
    const privateKey = createPrivateKey({
      key: Buffer.from(key.toPkcs8()),
      format: 'der',
      type: 'pkcs8',
    });
    const challenge = createChallenge(createPublicKey(privateKey));
    const answer = await answerChallenge(privateKey, challenge.bytes);
    await challenge.verify(answer);
    const right = meaning(answer);
    let refused = 0;
    for (let turn = 0; turn < PROOFS; turn++) {
      const changed = mutate([answer], random);
      if (meaning(changed) === right) continue; // another way to write the same
      const shown = `seed ${SEED}: ${textOf(changed)} of ${textOf(answer)}`;
      await assert.rejects(
        challenge.verify(changed),
        (error: unknown) => {
          assert.ok(error instanceof Fault, shown);
          assert.match(error.kind, /^(?:invalid|denied)$/);
          return true;
        },
        shown,
      );
      refused++;
    }
    assert.ok(refused > PROOFS / 2);
  });
}

/** What of an answer is looked at; there are many ways to write the same. */
function meaning(answer: Uint8Array): string {
  try {
    return JSON.stringify(readResponse(answer), (_, value: unknown) =>
      value instanceof Uint8Array ? hex(value) : value,
    );
  } catch {
    return 'none';
  }
}
