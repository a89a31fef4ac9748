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
  let lastWrite: Promise<unknown> = Promise.resolve();
  return {
    get data() {
      return data;
    },
    update(change) {
      const write = lastWrite.then(async () => {
        const changed = { ...data, ...change };
        await writeFileAtomically(path, formatAgentData(changed), { mode: 0o600 }).catch(
          (error: unknown) => {
            throw wrapFault('failed to write data file', error);
          },
        );
        data = changed;
      });
      lastWrite = write.catch(() => undefined); // its caller is told
      return write;
    },
  };
}

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
