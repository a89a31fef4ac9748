import { Fault } from '../base/fault.ts';

/** A 64-bit field as a number. Throws 'invalid' outside what a number holds exactly; nobody means such times. */
export function safeNumber(field: string, value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new Fault('invalid', `${field} is out of range: ${value}`);
  }
  return number;
}
