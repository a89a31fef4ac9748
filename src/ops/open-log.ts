import { write } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import { Fault } from '../base/fault.ts';
import { goErrorText, goFileError } from '../base/go-file-error.ts';
import { createLineQueue, type LineQueue, type WriteSome } from './line-queue.ts';
import type { LogLevel } from './log.ts';
import { formatLine, type LogFormat } from './log-line.ts';
import { createLogger, type Logger } from './logger.ts';
import { readSourcePlaces, type SourcePlaces, unknownPlaces } from './source-places.ts';

/** What a configuration says about the log (`reference/server.md` §2). */
export type LogSettings = {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Absolute; undefined: standard output. */
  readonly file: string | undefined;
  readonly sourceLocation: boolean;
};

/** A log with somewhere to go. Disposing it writes what is left and closes the file. */
export interface OpenLog extends AsyncDisposable {
  readonly log: Logger;
  /** Resolves when all lines so far are written or lost. */
  drained(): Promise<void>;
  /**
   * Opens the log file anew, for whoever moved it away; on failure the old one stays in use, and the reason is
   * logged. Does nothing on standard output. Never rejects.
   */
  reopen(): Promise<void>;
}

/** Throws what opening the file failed with, in Go's words: `open x: no such file or directory`. */
export async function openLog(settings: LogSettings): Promise<OpenLog> {
  const { file, sourceLocation } = settings;
  const sourcePlaces = sourceLocation ? await readSourcePlaces() : unknownPlaces;
  const options = { ...settings, sourcePlaces };
  return file === undefined
    ? descriptorLog(options, STANDARD_OUTPUT)
    : await fileLog(options, file);
}

type LineSettings = Omit<LogSettings, 'file'> & { readonly sourcePlaces?: SourcePlaces };

/** A log that nobody reads. */
export function discardingLog(level: LogLevel = 'info'): OpenLog {
  return {
    log: createLogger({ level, format: '', sink: { write() {} } }),
    async drained() {},
    async reopen() {},
    async [Symbol.asyncDispose]() {},
  };
}

const STANDARD_OUTPUT = 1;

/** The descriptor stays open: it is the process's, not ours. */
export function descriptorLog(settings: LineSettings, descriptor: number): OpenLog {
  const writeSome: WriteSome = async (bytes) =>
    (await promisify(write)(descriptor, bytes, 0, bytes.length, null)).bytesWritten;
  const queue = queueFor(settings, writeSome, isatty(descriptor));
  return {
    log: loggerFor(settings, queue),
    drained: () => queue.drained(),
    async reopen() {},
    [Symbol.asyncDispose]: () => queue.drained(),
  };
}

/** Readable by the group, as in the reference; the umask comes on top. */
const LOG_FILE_MODE = 0o640;

const openFile = (path: string): Promise<FileHandle> => open(path, 'a', LOG_FILE_MODE);

const writeTo =
  (file: FileHandle): WriteSome =>
  async (bytes) =>
    (await file.write(bytes)).bytesWritten;

async function fileLog(settings: LineSettings, path: string): Promise<OpenLog> {
  let file = await openFile(path).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });
  const queue = queueFor(settings, writeTo(file), false);
  const log = loggerFor(settings, queue);

  const reopen = async (): Promise<void> => {
    try {
      const next = await openFile(path);
      const former = file;
      file = next;
      await queue.redirect(writeTo(next));
      await former.close();
    } catch (error) {
      const reason = `unable to reopen ${path}: ${goErrorText(error)}`;
      log.error('failed to rotate log after signal', { error: new Fault('unknown', reason) });
    }
  };
  let reopening = Promise.resolve();
  return {
    log,
    drained: () => queue.drained(),
    reopen() {
      reopening = reopening.then(reopen);
      return reopening;
    },
    async [Symbol.asyncDispose]() {
      await reopening;
      await queue.drained();
      await file.close();
    },
  };
}

function queueFor({ format }: LineSettings, writeSome: WriteSome, isTerminal: boolean): LineQueue {
  const lossLine = (count: number, reason: string): string =>
    formatLine(
      {
        milliseconds: Date.now(),
        level: 'error',
        message: 'Log lines were lost',
        fields: { count, reason },
      },
      format,
    );
  return createLineQueue({ writeSome, isTerminal, lossLine });
}

const loggerFor = (
  { level, format, sourceLocation, sourcePlaces = unknownPlaces }: LineSettings,
  sink: LineQueue,
) => createLogger({ level, format, sourceLocation, sourcePlaces, sink });
