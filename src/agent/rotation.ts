/** When a leaf is replaced (`reference/agent.md` §3.3). All times in Unix seconds. */
export type Lifetime = { readonly notBefore: number; readonly notAfter: number };

export type RotationRule = {
  /** How long SVIDs must outlast a lost server; 0: not wanted. */
  readonly availabilityTargetSeconds: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
};

/** A target leaves at least this much of a lifetime, or it does not count. */
const TARGET_LEAVES_SECONDS = 12 * 3600;
/** So that agents started together do not renew together. */
const TARGET_JITTER_SECONDS = 10 * 60;
/** The half-life moves by this share to either side. */
const HALF_LIFE_JITTER = 0.1;

/** Whether an X.509-SVID is due for renewal. The randomness is drawn anew at each call. */
export function isX509RotationDue(life: Lifetime, now: number, rule: RotationRule): boolean {
  const target = rule.availabilityTargetSeconds;
  const left = life.notAfter - now;
  if (target > 0 && targetFits(life, target)) {
    if (left <= target + rule.random() * TARGET_JITTER_SECONDS) return true;
  }
  return isPastHalfLife(life, now, rule.random);
}

/** The rule for JWT-SVIDs: the half-life part alone. */
export function isPastHalfLife(life: Lifetime, now: number, random: () => number): boolean {
  const left = life.notAfter - now;
  if (left <= 0) return true;
  const half = (life.notAfter - life.notBefore) / 2;
  return left <= half * (1 - HALF_LIFE_JITTER + 2 * HALF_LIFE_JITTER * random());
}

/** Whether a lifetime is long enough for the availability target to be kept. */
export const targetFits = (life: Lifetime, targetSeconds: number): boolean =>
  life.notAfter - life.notBefore - targetSeconds > TARGET_LEAVES_SECONDS;

export const isExpired = (life: Pick<Lifetime, 'notAfter'>, now: number): boolean =>
  now >= life.notAfter;
