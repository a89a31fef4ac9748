import { Fault } from '../../base/fault.ts';
import { type DerReader, readWhole, structureError } from '../der/reader.ts';
import { type Constraint, constraintKinds, notAuthorized } from './constraint-kinds.ts';
import type { AlternativeNames } from './general-names.ts';

/** NameConstraints (RFC 5280 §4.2.1.10) of DNS names, e-mail addresses, URIs and IP addresses. */
export type NameConstraints = {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
  /** Whether it also constrains names of other kinds, which we do not judge. */
  readonly hasOtherKinds: boolean;
};

/** Constraints by the tag of their kind; those of other kinds are left out. */
type Subtrees = ReadonlyMap<number, readonly Constraint[]>;

/** Names times constraints in one verification; more is an attack (Go's limit). */
const MAX_COMPARISONS = 250_000;

export const readNameConstraints = (value: Uint8Array): NameConstraints =>
  readWhole(value, (r) =>
    r.sequence((s) => {
      const permitted = s.explicit(0, readSubtrees);
      const excluded = s.explicit(1, readSubtrees);
      if (permitted === undefined && excluded === undefined) {
        throw new Fault('invalid', 'x509: empty name constraints extension');
      }
      return {
        permitted: permitted?.known ?? NONE,
        excluded: excluded?.known ?? NONE,
        hasOtherKinds: (permitted?.others ?? false) || (excluded?.others ?? false),
      };
    }),
  );

const NONE: Subtrees = new Map();

/** GeneralSubtrees without minimum and maximum, which RFC 5280 forbids to use. */
function readSubtrees(r: DerReader): { known: Subtrees; others: boolean } {
  const known = new Map<number, Constraint[]>();
  let others = false;
  while (!r.atEnd) {
    r.sequence((subtree) => {
      const tag = subtree.nextTag;
      if (tag === undefined) throw structureError('empty name constraint');
      const content = subtree.content(tag);
      const kind = constraintKinds.get(tag);
      if (kind === undefined) {
        others = true;
        return;
      }
      const constraint = kind.constraint(content);
      const siblings = known.get(tag);
      if (siblings === undefined) known.set(tag, [constraint]);
      else siblings.push(constraint);
    });
  }
  return { known, others };
}

/** Counts comparisons over a whole verification. */
export type ComparisonBudget = { left: number };

export const comparisonBudget = (): ComparisonBudget => ({ left: MAX_COMPARISONS });

/** Throws 'invalid', in Go's words, if a certificate with these names must not stand below such an authority. */
export function checkNameConstraints(
  constraints: NameConstraints,
  names: AlternativeNames,
  budget: ComparisonBudget,
): void {
  for (const [tag, { label, names: ofKind }] of constraintKinds) {
    const permitted = constraints.permitted.get(tag) ?? [];
    const excluded = constraints.excluded.get(tag) ?? [];
    if (permitted.length + excluded.length === 0) continue;
    for (const { text, prepared } of ofKind(names)) {
      spend(budget, permitted.length + excluded.length);
      if (excluded.some((excludes) => excludes(prepared))) {
        throw notAuthorized(`${label} "${text}" is excluded by a constraint`);
      }
      if (permitted.length > 0 && !permitted.some((permits) => permits(prepared))) {
        throw notAuthorized(`${label} "${text}" is not permitted by any constraint`);
      }
    }
  }
}

function spend(budget: ComparisonBudget, count: number): void {
  budget.left -= count;
  if (budget.left < 0) throw new Fault('invalid', 'x509: too many name constraints to check');
}
