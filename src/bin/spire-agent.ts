import { holdUserSignals } from '../base/signals.ts';

holdUserSignals();
const { agentProgram } = await import('../cli/agent/program.ts');
const { runProgram } = await import('../cli/kit/program.ts');
const { processEnv } = await import('./process-env.ts');

const env = processEnv();
process.exitCode = await runProgram(agentProgram, env);
