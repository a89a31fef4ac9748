import { unixSeconds } from '../../../base/clock.ts';
import { Fault, reasonOf } from '../../../base/fault.ts';
import type { Settings } from '../../../base/settings.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import type { UpstreamAuthorityEnv } from '../builtins.ts';
import type { UpstreamAuthority } from '../contract.ts';
import { signX509Ca } from '../local-signer.ts';
import { namedUpstreamAuthority } from '../named-upstream-authority.ts';
import { noUpdates, signsOnly } from '../signs-only.ts';
import { type DiskCaFiles, loadDiskCa } from './load-ca.ts';

export const plugin = definePlugin<UpstreamAuthorityEnv, UpstreamAuthority>({
  name: 'disk',
  takesData: true,
  async validate(settings) {
    readFiles(settings);
  },
  async configure(settings, env) {
    return namedUpstreamAuthority(await openDiskAuthority(readFiles(settings), env));
  },
});

/** A CA in files. They are read again for each signature, so that a new CA needs no restart. */
async function openDiskAuthority(
  files: DiskCaFiles,
  { clock, log, trustDomain }: UpstreamAuthorityEnv,
): Promise<UpstreamAuthority> {
  const now = () => unixSeconds(clock);
  let ca = await loadDiskCa(files, now());
  return {
    ...signsOnly,
    name: 'disk',
    async mintX509Ca({ csr, ttlSeconds }) {
      try {
        ca = await loadDiskCa(files, now());
      } catch (error) {
        log.error('Failed to read the upstream CA again; the one read before is used', {
          error: reasonOf(error),
        });
      }
      const { upstreamChain, roots } = ca;
      const der = await signX509Ca(ca, { csr, ttlSeconds, now: now(), trustDomain });
      return {
        x509CaChain: [der, ...upstreamChain],
        upstreamRoots: roots.map((root) => ({ der: root, tainted: false })),
        updates: noUpdates,
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}

function readFiles(settings: Settings): DiskCaFiles {
  const certificates = settings.string('cert_file_path');
  const key = settings.string('key_file_path');
  const bundle = settings.string('bundle_file_path');
  settings.throwIfWrong(() => 'plugin configuration is malformed');
  if (certificates === '' || key === '') {
    throw new Fault('invalid', "'cert_file_path' and 'key_file_path' must be set and not empty");
  }
  return { certificates, key, bundle: bundle === '' ? undefined : bundle };
}
