import { createPrivateKey } from 'node:crypto';
import { Fault, reasonOf } from '../../../base/fault.ts';
import type { Settings } from '../../../base/settings.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import { WorkloadApi } from '../../../workload/workload-api.ts';
import type { AgentNodeAttestorEnv } from '../builtins.ts';
import type { AgentNodeAttestor } from '../contract.ts';
import { namedAgentNodeAttestor } from '../named-node-attestor.ts';
import { type KeyPair, readKeyPair } from './key-pair.ts';
import { writePayload } from './messages.ts';
import { answerChallenge } from './proof.ts';

const NAME = 'x509pop';

/** Where the key pair comes from; asked at each attestation, so that renewed files count. */
type KeyPairSource = (signal: AbortSignal) => Promise<KeyPair>;

export const plugin = definePlugin<AgentNodeAttestorEnv, AgentNodeAttestor>({
  name: NAME,
  takesData: true,
  async configure(settings) {
    const source = await readSource(settings);
    return namedAgentNodeAttestor(createAttestor(source));
  },
});

const createAttestor = (source: KeyPairSource): AgentNodeAttestor => ({
  name: NAME,
  async begin(signal) {
    const { chain, privateKey } = await source(signal);
    return {
      payload: writePayload(chain),
      answer: (challenge) => answerChallenge(privateKey, challenge),
    };
  },
  async [Symbol.asyncDispose]() {},
});

/** Reads the files once, to tell early what is wrong with them. Throws 'invalid'. */
async function readSource(settings: Settings): Promise<KeyPairSource> {
  const endpoint = settings.string('spiffe_endpoint_socket');
  const files = {
    privateKeyPath: settings.string('private_key_path'),
    certificatePath: settings.string('certificate_path'),
    intermediatesPath: settings.string('intermediates_path').trim(),
  };
  settings.throwIfWrong();
  if (endpoint !== '') return (signal) => fetchKeyPair(endpoint, signal);
  if (files.privateKeyPath === '') settings.problems.add('private_key_path is required');
  if (files.certificatePath === '') settings.problems.add('certificate_path is required');
  settings.problems.throwIfAny();
  await readKeyPair(files);
  return () => readKeyPair(files);
}

async function fetchKeyPair(endpoint: string, signal: AbortSignal): Promise<KeyPair> {
  try {
    using api = new WorkloadApi({ endpoint });
    const {
      svids: [{ chain, privateKey }],
    } = await api.fetchX509Context(signal);
    return {
      chain: chain.map(({ der }) => der),
      privateKey: createPrivateKey({
        key: Buffer.from(privateKey),
        format: 'der',
        type: 'pkcs8',
      }),
    };
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Fault('unavailable', `unable to fetch SVID from workload API: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
