import { Fault, reasonOf } from '../../../base/fault.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import type { AgentNodeAttestorEnv } from '../builtins.ts';
import type { AgentNodeAttestor } from '../contract.ts';
import { namedAgentNodeAttestor } from '../named-node-attestor.ts';

const NAME = 'join_token';

/** Shows the server a token that it made. Without one it can be configured, but not attest. */
export const joinTokenAgentAttestor = (token: string | undefined): AgentNodeAttestor =>
  namedAgentNodeAttestor({
    name: NAME,
    async begin() {
      if (token === undefined || token === '') {
        throw new Fault('invalid', 'join token was not provided');
      }
      return {
        payload: Buffer.from(token),
        async answer() {
          throw new Fault('internal', 'server issued unexpected challenge');
        },
      };
    },
    remedy: (failure) => (NEEDS_ANOTHER.test(reasonOf(failure)) ? REMEDY : undefined),
    async [Symbol.asyncDispose]() {},
  });

/** What we and the server say of tokens that are missing, gone or expired (`reference/node-attestation.md` §5). */
const NEEDS_ANOTHER =
  /join token (?:was not provided|does not exist or has already been used|expired)/;
const REMEDY =
  'A join token lets an agent in once: make another with "spire-server token generate" (with the former -spiffeID, if entries have it as their parent) and start this agent with it';

export const plugin = definePlugin<AgentNodeAttestorEnv, AgentNodeAttestor>({
  name: NAME,
  takesData: false,
  configure: async (_settings, { joinToken }) => joinTokenAgentAttestor(joinToken),
});
