import { definePlugin } from '../../../catalog/plugin.ts';
import type { ServerNodeAttestorEnv } from '../builtins.ts';
import type { ServerNodeAttestor } from '../contract.ts';
import { namedServerNodeAttestor } from '../named-node-attestor.ts';
import { attest, NAME } from './attest.ts';
import { readServerSettings } from './server-settings.ts';

export const plugin = definePlugin<ServerNodeAttestorEnv, ServerNodeAttestor>({
  name: NAME,
  takesData: true,
  async validate(settings) {
    await readServerSettings(settings);
  },
  async configure(settings, env) {
    const checked = await readServerSettings(settings);
    return namedServerNodeAttestor({
      name: NAME,
      attest: (payload, conversation) => attest(env, checked, payload, conversation),
      async [Symbol.asyncDispose]() {},
    });
  },
});
