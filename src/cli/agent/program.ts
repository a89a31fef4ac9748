import { SPIRE_VERSION } from '../../ops/version.ts';
import type { Program } from '../kit/program.ts';

export const agentProgram: Program = {
  name: 'spire-agent',
  version: SPIRE_VERSION,
  commands: {
    'api fetch': {
      synopsis: 'Fetches X509-SVIDs from the Workload API',
      load: async () => (await import('./api/fetch/x509.ts')).apiFetch,
    },
    'api fetch jwt': {
      synopsis: 'Fetches a JWT-SVID from the Workload API',
      load: async () => (await import('./api/fetch/jwt.ts')).apiFetchJwt,
    },
    'api fetch x509': {
      synopsis: 'Fetches X509-SVIDs from the Workload API',
      load: async () => (await import('./api/fetch/x509.ts')).apiFetchX509,
    },
    'api validate jwt': {
      synopsis: 'Has the Workload API validate a JWT-SVID',
      load: async () => (await import('./api/validate/jwt.ts')).apiValidateJwt,
    },
    'api watch': {
      synopsis: 'Prints X509-SVIDs whenever they change',
      load: async () => (await import('./api/watch.ts')).apiWatch,
    },
    'debug getinfo': {
      synopsis: 'Shows what the agent tells of itself',
      load: async () => (await import('./debug/getinfo.ts')).debugGetInfo,
    },
    healthcheck: {
      synopsis: 'Asks the agent how it is',
      load: async () => (await import('./healthcheck.ts')).healthcheck,
    },
    'logger get': {
      synopsis: 'Shows how much the agent logs',
      load: async () => (await import('./logger/get.ts')).loggerGet,
    },
    'logger reset': {
      synopsis: 'Has the agent log as much as when it started',
      load: async () => (await import('./logger/reset.ts')).loggerReset,
    },
    'logger set': {
      synopsis: 'Changes how much the agent logs, until it ends',
      load: async () => (await import('./logger/set.ts')).loggerSet,
    },
    run: {
      synopsis: 'Runs the agent',
      load: async () => (await import('./run.ts')).run,
    },
    validate: {
      synopsis: 'Checks a configuration file',
      load: async () => (await import('./validate.ts')).validate,
    },
  },
};
