import { statSync } from 'node:fs';

/**
 * The files that SQLite has open. It goes on writing into a file that was removed or replaced, and all that would be
 * lost with the next start: so somebody has to look. Looking costs some microseconds and is for the database thread.
 */
export class DatabaseFiles {
  readonly #path: string;
  readonly #database: string | undefined;
  #log: string | undefined;

  /** Right after they were opened. */
  constructor(path: string) {
    this.#path = path;
    this.#database = identity(path);
    this.note();
  }

  /** The write-ahead log comes with the first write, and then stays until the database is closed. */
  note(): void {
    this.#log ??= identity(this.#logPath);
  }

  /** What was written would not be found again; undefined if it would. */
  problem(): string | undefined {
    if (identity(this.#path) !== this.#database) return gone(this.#path);
    if (this.#log !== undefined && identity(this.#logPath) !== this.#log)
      return gone(this.#logPath);
    return undefined;
  }

  get #logPath(): string {
    return `${this.#path}-wal`;
  }
}

const gone = (path: string): string => `${path} was removed or replaced`;

/** undefined where there is no such file, or nobody can tell. */
function identity(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}`;
  } catch {
    return undefined;
  }
}
