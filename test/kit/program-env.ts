import type { OnSignal } from '../../src/base/signals.ts';
import { createLevelControl, type LevelControl } from '../../src/ops/level-control.ts';

/** For programs in tests, whose log has no level to change. */
export const fixedLevels = (): LevelControl =>
  createLevelControl({ level: 'info', setLevel: () => undefined });

/** For programs that nobody sends a signal. */
export const noSignal: OnSignal = () => ({ [Symbol.dispose]() {} });
