import { holdUserSignals } from '../base/signals.ts';

holdUserSignals();
const { serverProgram } = await import('../cli/server/program.ts');
const { runProgram } = await import('../cli/kit/program.ts');
const { processEnv } = await import('./process-env.ts');

const env = processEnv();
process.exitCode = await runProgram(serverProgram(env.variables), env);
