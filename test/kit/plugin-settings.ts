import { readHcl } from '../../src/base/hcl/read-hcl.ts';
import { Problems } from '../../src/base/problems.ts';
import { Settings } from '../../src/base/settings.ts';

/** A plugin's data as a configuration file would give it. */
export const pluginSettings = (hcl: string): Settings =>
  Settings.of(readHcl(hcl), new Problems(''));
