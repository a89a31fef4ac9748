/** A release as the database keeps it: `1.16.0`, or `1.16.0-dev-abc` for a build before that release. */
export type CodeVersion = {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** '' for a release. */
  readonly preRelease: string;
};

const FORM = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** Undefined for what is no version. */
export function parseCodeVersion(text: string): CodeVersion | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, major, minor, patch, preRelease = ''] = match;
  return { major: Number(major), minor: Number(minor), patch: Number(patch), preRelease };
}

/** As the database keeps it. */
export const codeVersionText = ({ major, minor, patch, preRelease }: CodeVersion): string =>
  `${major}.${minor}.${patch}${preRelease === '' ? '' : `-${preRelease}`}`;

/** Whether `a` comes after `b` (Semantic Versioning §11). */
export const isNewer = (a: CodeVersion, b: CodeVersion): boolean =>
  (a.major - b.major || a.minor - b.minor || a.patch - b.patch || comparePreRelease(a, b)) > 0;

/** Whether a server of one release may work on the database of the other (`reference/server.md` §8.2). */
export const areCompatible = (a: CodeVersion, b: CodeVersion): boolean =>
  a.major === b.major && Math.abs(a.minor - b.minor) <= 1;

function comparePreRelease({ preRelease: a }: CodeVersion, { preRelease: b }: CodeVersion): number {
  if (a === b) return 0;
  if (a === '') return 1; // the release itself comes after all that led to it
  if (b === '') return -1;
  const [left, right] = [a.split('.'), b.split('.')];
  for (const [index, identifier] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareIdentifiers(a: string, b: string): number {
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return Number(a) - Number(b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
