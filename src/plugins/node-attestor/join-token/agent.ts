import { Fault } from '../../../base/fault.ts';
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
    async [Symbol.asyncDispose]() {},
  });

export const plugin = definePlugin<AgentNodeAttestorEnv, AgentNodeAttestor>({
  name: NAME,
  takesData: false,
  configure: async (_settings, { joinToken }) => joinTokenAgentAttestor(joinToken),
});
