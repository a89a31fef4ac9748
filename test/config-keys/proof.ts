/**
 * What shows that a key is not passed over: a test that sees its effect (file, and words of the test), or that it is
 * refused, or that it is told to be without effect.
 */
export type Proof = readonly [file: string, words: string];

/** By section, then by key in small letters, as the reader asks for them. */
export type Proofs = Readonly<Record<string, Readonly<Record<string, Proof>>>>;
