import { Fault, reasonOf } from './fault.ts';

/** Where the words of Go and of Node's libuv for a system error differ. */
const WORDS: Readonly<Record<string, string | undefined>> = {
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  ENFILE: 'too many open files in system',
  ENXIO: 'no such device or address',
  ETXTBSY: 'text file busy',
};

/** Node writes `ENOENT: no such file or directory, open 'x'`. */
const NODE_MESSAGE = /^[A-Z0-9]+: (.*?)(?:, [a-z]+(?: '.*)?)?$/s;

/** What Go says of a system error: `no such file or directory`. */
export function goErrorText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = reasonOf(error);
  return WORDS[code] ?? NODE_MESSAGE.exec(reason)?.[1] ?? reason;
}

/**
 * A file operation that failed, in Go's words: `open x: no such file or directory`. A folder can be opened, and not be
 * read. A Fault is passed through.
 */
export function goFileError(operation: string, path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const failed = isReading(error) && operation === 'open' ? 'read' : operation;
  return new Fault('unknown', `${failed} ${path}: ${goErrorText(error)}`, { cause: error });
}

const isReading = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && error.syscall === 'read';
