import { definePlugin } from '../../../catalog/plugin.ts';
import type { UpstreamAuthorityEnv } from '../builtins.ts';
import type { UpstreamAuthority } from '../contract.ts';
import { namedUpstreamAuthority } from '../named-upstream-authority.ts';
import { readSpireSettings } from './settings.ts';
import { createSpireAuthority } from './spire-authority.ts';

export const plugin = definePlugin<UpstreamAuthorityEnv, UpstreamAuthority>({
  name: 'spire',
  takesData: true,
  async validate(settings) {
    readSpireSettings(settings);
  },
  async configure(settings, env) {
    const authority = createSpireAuthority({ ...env, settings: readSpireSettings(settings) });
    return namedUpstreamAuthority(authority);
  },
});
