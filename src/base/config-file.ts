import { resolve } from 'node:path';
import { expandEnv } from './expand-env.ts';
import { reasonOf } from './fault.ts';
import { goFileError } from './go-file-error.ts';
import { goQuote } from './go-quote.ts';
import type { HclFile } from './hcl/ast.ts';
import { HclError } from './hcl/hcl-error.ts';
import { type Position, positionText } from './hcl/position.ts';
import { readHcl } from './hcl/read-hcl.ts';
import { ConfigFault } from './problems.ts';

export type ConfigFileOptions = {
  /** As given on the command line. */
  readonly path: string;
  readonly cwd: string;
  readonly expandEnv: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Rejects with Node's error. */
  readonly readFile: (path: string) => Promise<Uint8Array>;
};

/** Reads a program's configuration file. Throws a ConfigFault with SPIRE's words (`reference/server.md` §1.2). */
export async function readConfigFile(options: ConfigFileOptions): Promise<HclFile> {
  const { path, environment } = options;
  const bytes = await readBytes(options);
  const text = decodeText(bytes, path);
  return parseConfigText(options.expandEnv ? expandEnv(text, environment) : text, path);
}

/** Throws a ConfigFault with SPIRE's words. */
export function parseConfigText(text: string, path: string): HclFile {
  try {
    return readHcl(text);
  } catch (error) {
    if (!(error instanceof HclError)) throw error;
    throw decodeFault(path, error.message, error.position);
  }
}

async function readBytes({ path, cwd, readFile }: ConfigFileOptions): Promise<Uint8Array> {
  try {
    return await readFile(resolve(cwd, path));
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      if (error.code === 'ENOENT') {
        throw new ConfigFault(
          `could not find config file ${resolve(cwd, path)}: please use the -config flag`,
        );
      }
    }
    throw unreadable(path, reasonOf(goFileError('open', path, error)));
  }
}

const unreadable = (path: string, reason: string): ConfigFault =>
  new ConfigFault(`unable to read configuration at ${goQuote(path)}: ${reason}`);

/** What SPIRE says of text that it cannot make its structures of. */
export const decodeComplaint = (path: string, reason: string): string =>
  `unable to decode configuration at ${goQuote(path)}: ${reason}`;

function decodeFault(path: string, reason: string, position: Position): ConfigFault {
  return new ConfigFault(decodeComplaint(path, reason), [`at ${path}:${positionText(position)}`]);
}

function decodeText(bytes: Uint8Array, path: string): string {
  const text = Buffer.from(bytes).toString('utf8');
  const again = Buffer.from(text, 'utf8');
  if (again.equals(bytes)) return text;
  const position = positionOfDifference(bytes, again);
  throw decodeFault(path, `At ${positionText(position)}: illegal UTF-8 encoding`, position);
}

/** What is no UTF-8 was replaced when it was read, so that it differs when it is written again. */
function positionOfDifference(bytes: Uint8Array, again: Uint8Array): Position {
  const at = bytes.findIndex((byte, index) => byte !== again[index]);
  const before = Buffer.from(bytes.subarray(0, at)).toString('utf8');
  const lineStart = before.lastIndexOf('\n') + 1;
  return {
    line: before.split('\n').length,
    column: Array.from(before.slice(lineStart)).length + 1,
  };
}
