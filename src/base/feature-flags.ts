/** Features that a configuration may switch on before they are finished, by the names that SPIRE gives them. */
const KNOWN: readonly string[] = ['i_am_a_test_flag', 'wit-svid'];

/** What is wrong with a list of feature flags, or undefined. */
export function featureFlagComplaint(flags: readonly string[]): string | undefined {
  const unknown = flags.filter((flag) => !KNOWN.includes(flag)).toSorted();
  if (unknown.length === 0) return undefined;
  return `error loading feature flags: unknown feature flag(s): [${unknown.join(' ')}]`;
}
