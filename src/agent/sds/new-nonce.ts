import { randomBytes } from 'node:crypto';

/** 8 hex characters that nobody can guess. */
export const newNonce = (): string => randomBytes(4).toString('hex');
