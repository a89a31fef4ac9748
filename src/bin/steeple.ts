import { holdUserSignals } from '../base/signals.ts';

holdUserSignals();
const { steepleProgram } = await import('../cli/steeple/program.ts');
const { runProgram } = await import('../cli/kit/program.ts');
const { processEnv } = await import('./process-env.ts');

const env = processEnv();
process.exitCode = await runProgram(steepleProgram, env);
