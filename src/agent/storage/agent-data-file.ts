import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openDataDirectory } from '../../base/data-directory.ts';
import { Fault, kindOf, reasonOf, wrapFault } from '../../base/fault.ts';
import { readFileBounded, writeFileAtomically } from '../../base/files.ts';
import { goFileError } from '../../base/go-file-error.ts';
import { type AgentData, emptyAgentData } from './agent-data.ts';
import { formatAgentData, parseAgentData } from './agent-data-format.ts';

/** Keeps `agent-data.json`; only one object at a time may own a data directory. */
export interface AgentDataFile {
  readonly data: AgentData;
  /** Durable when it resolves. Changes take effect in the order they are asked for. */
  update(change: Partial<AgentData>): Promise<void>;
  /** Writes the file again, with its folder, if somebody has removed it; resolves with whether it was gone. */
  mend(): Promise<boolean>;
}

const WHAT_TO_DO = 'restore the file, or remove it so that the agent attests anew';

/** An SVID and a bundle; anything longer is another file. */
const MAX_DATA_BYTES = 16 * 1024 * 1024;

/** Makes the directory if it is missing. Throws if the file cannot be read or understood: it is left as it is. */
export async function openAgentData(directory: string): Promise<AgentDataFile> {
  const path = join(directory, 'agent-data.json');
  let data: AgentData;
  try {
    await openDataDirectory(directory);
    data = await readAgentData(path);
  } catch (error) {
    throw wrapFault('failed to open storage', error);
  }
  const write = async (changed: AgentData): Promise<void> => {
    await writeFileAtomically(path, formatAgentData(changed), { mode: 0o600 }).catch(
      (error: unknown) => {
        throw wrapFault('failed to write data file', error);
      },
    );
    data = changed;
  };
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(step: () => Promise<T>): Promise<T> => {
    const turn = last.then(step);
    last = turn.catch(() => undefined); // its caller is told
    return turn;
  };
  return {
    get data() {
      return data;
    },
    update: (change) => inTurn(() => write({ ...data, ...change })),
    mend: () =>
      inTurn(async () => {
        if (!(await isGone(path))) return false;
        await openDataDirectory(directory);
        await write(data);
        return true;
      }),
  };
}

const isGone = (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );

async function readAgentData(path: string): Promise<AgentData> {
  let bytes: Uint8Array;
  try {
    bytes = await readFileBounded(path, MAX_DATA_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return emptyAgentData;
    throw wrapFault('failed to read data', goFileError('open', path, error));
  }
  try {
    return parseAgentData(Buffer.from(bytes).toString());
  } catch (error) {
    throw new Fault(kindOf(error), `${reasonOf(error)} (${path}: ${WHAT_TO_DO})`, { cause: error });
  }
}
