import type { Clock } from '../../../base/clock.ts';
import { Fault, reasonOf } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { ServerNodeAttestorEnv } from '../builtins.ts';
import type { NodeAttestation, ServerNodeAttestor } from '../contract.ts';

const NAME = 'join_token';

/** Where the server keeps its tokens. */
export interface JoinTokens {
  /** Takes the token away and resolves with it: of several callers at once only one gets it, the others undefined. */
  spend(token: string): Promise<{ readonly expiresAt: number } | undefined>;
}

export type JoinTokenAttestorDeps = {
  readonly joinTokens: JoinTokens;
  readonly clock: Pick<Clock, 'now'>;
  readonly trustDomain: TrustDomain;
};

/**
 * Attests by a token that the server made. It is spent before anything else is checked. The server has this attestor
 * whether or not it is configured; what it throws has no plugin's name before it (`reference/node-attestation.md` §5).
 */
export const joinTokenAttestor = (deps: JoinTokenAttestorDeps): ServerNodeAttestor => ({
  name: NAME,
  attest: (payload) => attest(deps, Buffer.from(payload).toString('utf8')),
  async [Symbol.asyncDispose]() {},
});

/** The ID of the agent that attests with that token. Throws 'invalid' where the token cannot stand in a path. */
export const joinTokenAgentId = (trustDomain: TrustDomain, token: string): SpiffeId =>
  SpiffeId.ofSegments(trustDomain, 'spire', 'agent', NAME, token);

export const plugin = definePlugin<ServerNodeAttestorEnv, ServerNodeAttestor>({
  name: NAME,
  takesData: true,
  /** It has no settings. SPIRE starts with any, so that only who asks is told. */
  async validate(settings) {
    for (const { name, position } of settings.unknownKeys({ quoted: true })) {
      settings.problems.add(`unknown setting ${goQuote(name)} encountered`, position);
    }
    settings.problems.throwIfAny();
  },
  configure: async (_settings, env) => joinTokenAttestor(env),
});

async function attest(
  { joinTokens, clock, trustDomain }: JoinTokenAttestorDeps,
  token: string,
): Promise<NodeAttestation> {
  const spent = await joinTokens.spend(token).catch((error: unknown) => {
    throw internal('failed to fetch join token', error);
  });
  if (spent === undefined) {
    throw new Fault(
      'invalid',
      'failed to attest: join token does not exist or has already been used',
    );
  }
  if (spent.expiresAt * 1000 < clock.now()) throw new Fault('invalid', 'join token expired');
  return { agentId: agentId(trustDomain, token), selectorValues: [], canReattest: false };
}

function agentId(trustDomain: TrustDomain, token: string): SpiffeId {
  try {
    return joinTokenAgentId(trustDomain, token);
  } catch (error) {
    throw internal('failed to create join token ID', error);
  }
}

const internal = (what: string, cause: unknown): Fault =>
  new Fault('internal', `${what}: ${reasonOf(cause)}`, { cause });
