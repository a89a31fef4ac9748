import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Emitted, recordingMetrics } from '../../../test/kit/recording-metrics.ts';
import { type AgentData, emptyAgentData } from './agent-data.ts';
import { tellingBootstrap } from './bootstrap-metrics.ts';

test('tells how bootstrapping stands, at first and at each change of it', async () => {
  const emitted: Emitted[] = [];
  let data: AgentData = emptyAgentData;
  const stored = {
    get data() {
      return data;
    },
    async update(change: Partial<AgentData>) {
      data = { ...data, ...change };
    },
    mend: async () => false,
  };
  const file = tellingBootstrap(stored, recordingMetrics(emitted));
  const told = () => emitted.splice(0).map(([, key, value, { mode }]) => [key, value, mode]);
  const neverStarted = -62_135_596_800;
  assert.deepEqual(told(), [
    ['bootstrapped', 1, undefined],
    ['bootstrap_seconds', neverStarted, 'bootstrap'],
    ['bootstrap_attempts', 0, 'bootstrap'],
  ]);
  await file.update({ bootstrap: { use: 'bootstrap', startedAt: 5_500, attempts: 2 } });
  assert.deepEqual(told(), [
    ['bootstrapped', 0, undefined],
    ['bootstrap_seconds', 5.5, 'bootstrap'],
    ['bootstrap_attempts', 2, 'bootstrap'],
  ]);
  await file.update({ reattestable: true });
  assert.deepEqual(told(), []);
  await file.update({ bootstrap: { use: 'rebootstrap', startedAt: undefined, attempts: 0 } });
  assert.deepEqual(told(), [
    ['bootstrapped', 1, undefined],
    ['bootstrap_seconds', neverStarted, 'rebootstrap'],
    ['bootstrap_attempts', 0, 'rebootstrap'],
  ]);
});
