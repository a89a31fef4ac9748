import type { BundleRegistry } from '../../registry/contract.ts';

export type CountBundlesDeps = { readonly bundles: Pick<BundleRegistry, 'rows'> };

/** The server's own bundle counts too. */
export async function countBundles({ bundles }: CountBundlesDeps): Promise<{ count: number }> {
  return { count: bundles.rows().length };
}
