import assert from 'node:assert/strict';
import { dial } from '../../src/rpc/dial.ts';
import { Debug } from '../../src/wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import { eventually, type Outcome, runProgram, spireAgent } from './programs.ts';
import type { AgentProcess } from './trust-domain.ts';

/** `spire-agent api …` as a process of that user runs it; to be another user needs root. */
export async function apiAs(
  uid: number,
  agent: AgentProcess,
  ...words: readonly string[]
): Promise<Outcome> {
  const isOwn = uid === process.getuid?.();
  const socket = isOwn ? agent.socket : await agent.domain.socketFor(uid, agent);
  return runProgram([spireAgent, 'api', ...words, '-socketPath', socket]);
}

/** The same; fails unless it exits with 0. */
export async function fetchAs(
  uid: number,
  agent: AgentProcess,
  ...words: readonly string[]
): Promise<string> {
  const { code, stdout, stderr } = await apiAs(uid, agent, 'fetch', ...words);
  assert.equal(code, 0, `fetch ${words.join(' ')} as ${uid}: ${stderr}`);
  return stdout;
}

/** What the agent says of itself to whoever asks its admin socket. */
export async function agentInfo(agent: AgentProcess) {
  using channel = dial({ address: `unix:${agent.adminSocket}` });
  return await channel.client(Debug).getInfo({});
}

/** Until its cache of X509-SVIDs holds so many. Its answers may be 5 s old. */
export async function cachesX509Svids(agent: AgentProcess, count: number): Promise<void> {
  await eventually(
    async () => (await agentInfo(agent)).cachedX509SvidsCount === count,
    `${count} cached X509-SVIDs`,
    50_000,
  );
}

/** Until it has heard of the entry of that ID; it tells its log. */
export async function hasHeardOf(agent: AgentProcess, ...ids: readonly string[]): Promise<void> {
  for (const id of ids)
    await agent.program.says(new RegExp(`${id.replaceAll('.', '\\.')}(?![-/\\w])`));
}
