import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { FaultyCa, type Trouble } from '../../../test/kit/faulty-ca.ts';
import { SvidHolder } from '../../../test/kit/svid-holder.ts';
import { Fault } from '../../base/fault.ts';
import { generateKey, type PrivateKey } from '../../crypto/keys.ts';
import type { Authorities } from './start-authorities.ts';

const MINUTE = 60;
const CA_TTL = 60 * MINUTE;
/** Holders look so often, and an operator leaves them that time between two steps. */
const LOOK = MINUTE;

type Kind = 'x509' | 'jwt' | 'wit';
type Action =
  | { readonly do: 'wait' | 'be away'; readonly minutes: number }
  | { readonly do: 'prepare' | 'activate'; readonly kind: Kind }
  | { readonly do: 'taint' | 'revoke'; readonly kind: 'x509' | 'jwt' }
  | { readonly do: 'expect trouble'; readonly what: Trouble; readonly writesBefore: number };

const kinds = fc.constantFrom<Kind>('x509', 'jwt', 'wit');
const tainted = fc.constantFrom('x509' as const, 'jwt' as const);
const actions = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        minutes: fc.integer({ min: 1, max: 20 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('be away' as const),
        minutes: fc.integer({ min: 0, max: 4 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('prepare' as const, 'activate' as const),
        kind: kinds,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('taint' as const, 'revoke' as const),
        kind: tainted,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('expect trouble' as const),
        what: fc.constantFrom<Trouble>('fails', 'crash', 'fails late', 'crash late'),
        writesBefore: fc.integer({ min: 0, max: 4 }),
      }),
    },
  ),
  { minLength: 10, maxLength: 40 },
);

let key: PrivateKey;
before(async () => {
  key = await generateKey('ec-p256');
});

/** A server, its operator, and two who have its SVIDs and look at different moments. */
class Life {
  readonly ca = new FaultyCa({ caTtlSeconds: CA_TTL, witKeyType: 'ec-p256' });
  readonly #holders = [0, LOOK / 2].map((offset) => ({
    holder: new SvidHolder(key, 20 * MINUTE),
    looksAt: this.ca.now + offset,
  }));

  async begin(): Promise<void> {
    await this.#startAgain();
    for (const { holder } of this.#holders) await this.#look(holder);
  }

  async do(action: Action): Promise<void> {
    switch (action.do) {
      case 'wait':
        return this.#pass(action.minutes * MINUTE);
      case 'be away':
        await this.ca.stop();
        await this.#pass(action.minutes * MINUTE);
        await this.#startAgain();
        return this.#pass(2 * LOOK);
      case 'expect trouble':
        return this.ca.expectTrouble(action.what, action.writesBefore);
      case 'prepare':
      case 'activate':
      case 'taint':
      case 'revoke':
        await this.#operate(action);
        await this.#startAgain();
        return this.#pass(2 * LOOK);
      default:
        return action satisfies never;
    }
  }

  async #operate({ do: deed, kind }: Extract<Action, { kind: Kind }>): Promise<void> {
    try {
      await this.ca.act(async (authorities) => {
        const { manager, keeper } = authorities;
        const slots = manager[kind] ?? assert.fail();
        const { held } = slots.next;
        if (deed === 'prepare') await slots.inTurn((steps) => steps.prepareNext());
        if (deed === 'activate' && held?.status === 'prepared') {
          await slots.inTurn((steps) => steps.activateNext());
        }
        if (held?.status !== 'old') return;
        const id = held.authority.authorityId;
        if (deed === 'taint') await (kind === 'x509' ? keeper.taintX509(id) : keeper.taintJwt(id));
        if (deed === 'revoke')
          await (kind === 'x509' ? keeper.revokeX509(id) : keeper.revokeJwt(id));
      });
    } catch (error) {
      if (!(error instanceof Fault)) throw error; // a refusal, or the trouble
    }
  }

  /** Whoever ends is started again; who cannot start is, without the trouble. */
  async #startAgain(): Promise<void> {
    if (this.ca.authorities === undefined) await this.ca.start();
    if (this.ca.authorities !== undefined) return;
    this.ca.forgetTrouble();
    await this.ca.start();
    assert.ok(this.ca.authorities, 'it starts');
  }

  async #pass(seconds: number): Promise<void> {
    const running = this.ca.authorities !== undefined;
    for (let left = seconds; left > 0; left -= 10) {
      await this.ca.pass(10);
      if (running) await this.#startAgain();
      for (const one of this.#holders) {
        if (this.ca.now < one.looksAt) continue;
        one.looksAt += LOOK;
        await this.#look(one.holder);
      }
      await this.#meet();
    }
  }

  /** Agents ask the server for the bundle; while it is away they go on with what they know. */
  async #look(holder: SvidHolder): Promise<void> {
    const { authorities, bundle, now } = this.ca;
    if (authorities !== undefined) await holder.synchronize(bundle, authorities.issuer, now);
  }

  async #meet(): Promise<void> {
    for (const { holder: verifier } of this.#holders) {
      for (const { holder: shown } of this.#holders) await verifier.meets(shown, this.ca.now);
    }
  }

  /** Everything goes on: each kind has an authority that is in the bundle, and the journal tells of it. */
  async check(seconds: number): Promise<void> {
    this.ca.forgetTrouble();
    await this.ca.stop();
    await this.#startAgain();
    const before = activeIds(this.ca.authorities ?? assert.fail());
    await this.ca.stop();
    await this.#startAgain();
    assert.deepEqual(activeIds(this.ca.authorities ?? assert.fail()), before);
    assert.equal(this.ca.journals.rows.size, 1);
    await this.#pass(seconds);
    await this.ca.stop();
  }
}

const activeIds = ({ manager: { x509, jwt, wit } }: Authorities) =>
  [x509, jwt, wit].map((slots) => slots?.active?.authorityId);

/** A whole rotation by hand, in which everything is written that can be. */
const rotation: readonly Action[] = (['x509', 'jwt', 'wit'] as const).flatMap((kind) => [
  { do: 'prepare', kind } as const,
  { do: 'activate', kind } as const,
  ...(kind === 'wit' ? [] : [{ do: 'taint', kind } as const, { do: 'revoke', kind } as const]),
]);

for (const what of ['fails', 'crash', 'fails late', 'crash late'] as const) {
  test(`${what} at each write of a rotation in turn, and everybody goes on`, async () => {
    let writes = 0;
    for (let isReached = true; isReached; writes++) {
      const life = new Life();
      await life.begin();
      await life.do({ do: 'expect trouble', what, writesBefore: writes });
      for (const action of rotation) await life.do(action);
      isReached = !life.ca.isTroubleAhead;
      await life.check(2 * LOOK);
    }
    assert.ok(writes > 15, `${writes} writes`);
  });
}

/** As many as a few seconds allow. */
const RUNS = Number(process.env['LIFE_COUNT'] ?? 8);

test('whatever an operator does and the datastore does not, everybody verifies every SVID', async () => {
  await fc.assert(
    fc.asyncProperty(actions, async (plan) => {
      const life = new Life();
      await life.begin();
      for (const action of plan) await life.do(action);
      await life.check(CA_TTL);
    }),
    { numRuns: RUNS, endOnFailure: false },
  );
});
