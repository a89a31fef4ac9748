import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { WorkloadAttestor } from './contract.ts';

/** What every workload attestor promises of processes. `open` makes one for each test; the suite closes it. */
export function workloadAttestorSuite(name: string, open: () => Promise<WorkloadAttestor>): void {
  const spec = (what: string, run: (attestor: WorkloadAttestor) => Promise<void>) => {
    test(`the workload attestor ${name} ${what}`, async () => {
      await using attestor = await open();
      assert.equal(attestor.name, name);
      await run(attestor);
    });
  };
  const { signal } = new AbortController();

  spec('finds out facts about a process that runs, the same each time', async (attestor) => {
    const first = await attestor.attest(process.pid, signal);
    assert.ok(first.every((value) => value !== ''));
    assert.deepEqual(await attestor.attest(process.pid, signal), first);
  });

  spec('attests several at once', async (attestor) => {
    const pids = [process.pid, process.ppid, process.pid];
    const found = await Promise.all(pids.map((pid) => attestor.attest(pid, signal)));
    assert.deepEqual(found[0], found[2]);
  });

  for (const pid of [0, -1, 1.5, Number.NaN]) {
    spec(`refuses ${pid} for a process`, async (attestor) => {
      await assert.rejects(attestor.attest(pid, signal), {
        name: 'Fault',
        message: new RegExp(`^workloadattestor\\(${name}\\): .`),
      });
    });
  }

  spec('fails for a process that has gone', async (attestor) => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await assert.rejects(attestor.attest(child.pid ?? 0, signal), {
      name: 'Fault',
      message: new RegExp(`^workloadattestor\\(${name}\\): .`),
    });
  });
}
