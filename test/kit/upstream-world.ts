import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { unixSeconds } from '../../src/base/clock.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { nameText } from '../../src/crypto/x509/name.ts';
import type { Authorities } from '../../src/server/ca/start-authorities.ts';
import { subjectKeyIdText } from '../../src/spiffe/signed-by-any.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { advance, CaWorld } from './authorities.ts';
import type { Holder } from './certificates.ts';
import { type LogLine, recordingLog } from './recording-log.ts';
import { FakeUpstream } from './upstream.ts';

type Config = Parameters<CaWorld['start']>[0];

/** A server's authorities below a fake upstream authority, over their restarts. */
export class UpstreamWorld {
  readonly ca = new CaWorld();
  readonly lines: LogLine[] = [];
  readonly upstream: FakeUpstream;
  readonly stop = new AbortController();
  authorities!: Authorities;

  private constructor(upstream: FakeUpstream, ca: CaWorld) {
    this.upstream = upstream;
    this.ca = ca;
  }

  static async create(t: TestContext): Promise<UpstreamWorld> {
    const ca = new CaWorld();
    const world = new UpstreamWorld(await FakeUpstream.create(ca.clock), ca);
    t.after(() => world.end());
    return world;
  }

  async start(config: Config = {}): Promise<Authorities> {
    const { authority } = this.upstream;
    this.authorities = await this.ca.start(config, {
      log: recordingLog(this.lines),
      upstream: { authority, random: () => 0.5, signal: this.stop.signal },
    });
    return this.authorities;
  }

  async end(): Promise<void> {
    await (this.authorities as Authorities | undefined)?.[Symbol.asyncDispose]();
  }

  /** Lets time pass, step by step, until that is so. */
  async until(condition: () => boolean, seconds = 1): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!condition()) {
      assert.ok(Date.now() < deadline, `waited in vain: ${this.said.slice(-10).join('; ')}`);
      await advance(this.ca.clock, seconds);
    }
  }

  get said(): string[] {
    return this.lines.map(({ message }) => message);
  }

  line(message: string): LogLine {
    return this.lines.find((line) => line.message === message) ?? assert.fail(this.said.join('\n'));
  }

  /** `root other!`: the roots of the bundle, with their taints. */
  get roots(): string {
    return this.ca
      .bundle()
      .x509Authorities.map(
        ({ der, tainted }) => nameText(parseCertificate(der).subject) + (tainted ? '!' : ''),
      )
      .join(' ');
  }

  get keyIds(): string[] {
    return this.ca.bundle().jwtAuthorities.map(({ keyId }) => keyId);
  }

  /** Throws unless what is issued now is verified by that root alone. */
  async verifiedBy({ certificate }: Holder): Promise<void> {
    const { publicKey } = await generateKey('ec-p256');
    const { chain } = await this.authorities.issuer.serverX509Svid(publicKey);
    const bundle = {
      ...this.ca.bundle(),
      x509Authorities: [{ der: certificate.der, tainted: false }],
    };
    const { id } = await verifyX509Svid(chain, () => bundle, unixSeconds(this.ca.clock));
    assert.ok(id.equals(SpiffeId.server(bundle.trustDomain)));
  }
}

export const skiOf = ({ certificate }: Holder): string => subjectKeyIdText(certificate);
