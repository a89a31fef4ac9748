import { SPIRE_VERSION } from '../../ops/version.ts';
import type { Env } from '../kit/env.ts';
import type { CommandTable, Program } from '../kit/program.ts';

/** The program for an environment: feature flags in it add commands (`reference/cli.md` §3.4). */
export const serverProgram = (variables: Env['variables']): Program => ({
  name: 'spire-server',
  version: SPIRE_VERSION,
  commands,
  missing: featureFlags(variables).includes('wit-svid') ? [...missing, 'wit mint'] : missing,
});

const featureFlags = (variables: Env['variables']): readonly string[] =>
  (variables['SPIRE_SERVER_FFLAGS'] ?? '').split(/\s+/);

const commands: CommandTable = {
  'agent ban': {
    synopsis: 'Shuts an agent out for good',
    load: async () => (await import('./agent/ban.ts')).agentBan,
  },
  'agent count': {
    synopsis: 'Counts attested agents',
    load: async () => (await import('./agent/count.ts')).agentCount,
  },
  'agent evict': {
    synopsis: 'Forgets an agent, which may attest again',
    load: async () => (await import('./agent/evict.ts')).agentEvict,
  },
  'agent list': {
    synopsis: 'Lists attested agents',
    load: async () => (await import('./agent/list.ts')).agentList,
  },
  'agent purge': {
    synopsis: 'Forgets agents that expired long ago',
    load: async () => (await import('./agent/purge.ts')).agentPurge,
  },
  'agent show': {
    synopsis: 'Shows an agent and its selectors',
    load: async () => (await import('./agent/show.ts')).agentShow,
  },
  'bundle count': {
    synopsis: 'Counts bundles',
    load: async () => (await import('./bundle/count.ts')).bundleCount,
  },
  'bundle delete': {
    synopsis: 'Deletes the bundle of a federated trust domain',
    load: async () => (await import('./bundle/delete.ts')).bundleDelete,
  },
  'bundle list': {
    synopsis: 'Lists the bundles of federated trust domains',
    load: async () => (await import('./bundle/list.ts')).bundleList,
  },
  'bundle set': {
    synopsis: 'Creates or replaces the bundle of a federated trust domain',
    load: async () => (await import('./bundle/set.ts')).bundleSet,
  },
  'bundle show': {
    synopsis: "Prints the server's own bundle",
    load: async () => (await import('./bundle/show.ts')).bundleShow,
  },
  'debug getinfo': {
    synopsis: 'Shows what the server says of itself',
    load: async () => (await import('./debug/getinfo.ts')).debugGetInfo,
  },
  'entry count': {
    synopsis: 'Counts registration entries',
    load: async () => (await import('./entry/count.ts')).entryCount,
  },
  'entry create': {
    synopsis: 'Creates registration entries',
    load: async () => (await import('./entry/create.ts')).entryCreate,
  },
  'entry delete': {
    synopsis: 'Deletes registration entries',
    load: async () => (await import('./entry/delete.ts')).entryDelete,
  },
  'entry show': {
    synopsis: 'Shows registration entries',
    load: async () => (await import('./entry/show.ts')).entryShow,
  },
  'entry update': {
    synopsis: 'Replaces registration entries',
    load: async () => (await import('./entry/update.ts')).entryUpdate,
  },
  healthcheck: {
    synopsis: 'Asks the server how it is',
    load: async () => (await import('./healthcheck.ts')).healthcheck,
  },
  'jwt mint': {
    synopsis: 'Mints a JWT-SVID',
    load: async () => (await import('./jwt/mint.ts')).jwtMint,
  },
  'logger get': {
    synopsis: 'Shows how much the server logs',
    load: async () => (await import('./logger/get.ts')).loggerGet,
  },
  'logger reset': {
    synopsis: 'Sets the log level back to what it was at the start',
    load: async () => (await import('./logger/reset.ts')).loggerReset,
  },
  'logger set': {
    synopsis: 'Changes how much the server logs',
    load: async () => (await import('./logger/set.ts')).loggerSet,
  },
  run: {
    synopsis: 'Runs the server',
    load: async () => (await import('./run.ts')).run,
  },
  'token generate': {
    synopsis: 'Makes a join token for an agent',
    load: async () => (await import('./token/generate.ts')).tokenGenerate,
  },
  validate: {
    synopsis: 'Checks a configuration file',
    load: async () => (await import('./validate.ts')).validate,
  },
  'x509 mint': {
    synopsis: 'Mints an X509-SVID',
    load: async () => (await import('./x509/mint.ts')).x509Mint,
  },
};

const missing: readonly string[] = [
  'federation create',
  'federation delete',
  'federation list',
  'federation refresh',
  'federation show',
  'federation update',
  'localauthority jwt activate',
  'localauthority jwt prepare',
  'localauthority jwt revoke',
  'localauthority jwt show',
  'localauthority jwt taint',
  'localauthority x509 activate',
  'localauthority x509 prepare',
  'localauthority x509 revoke',
  'localauthority x509 show',
  'localauthority x509 taint',
  'upstreamauthority revoke',
  'upstreamauthority taint',
];
