import { SPIRE_VERSION } from '../../ops/version.ts';
import type { Env } from '../kit/env.ts';
import type { CommandTable, Program } from '../kit/program.ts';

/** The program for an environment: feature flags in it add commands (`reference/cli.md` §3.4). */
export const serverProgram = (variables: Env['variables']): Program => ({
  name: 'spire-server',
  version: SPIRE_VERSION,
  commands: featureFlags(variables).includes('wit-svid')
    ? { ...commands, ...witCommands }
    : commands,
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
  'federation create': {
    synopsis: 'Federates with trust domains',
    load: async () => (await import('./federation/create.ts')).federationCreate,
  },
  'federation delete': {
    synopsis: 'Ends the federation with a trust domain',
    load: async () => (await import('./federation/delete.ts')).federationDelete,
  },
  'federation list': {
    synopsis: 'Lists the trust domains that were federated with',
    load: async () => (await import('./federation/list.ts')).federationList,
  },
  'federation refresh': {
    synopsis: 'Fetches the bundle of a trust domain now',
    load: async () => (await import('./federation/refresh.ts')).federationRefresh,
  },
  'federation show': {
    synopsis: 'Shows one federation relationship',
    load: async () => (await import('./federation/show.ts')).federationShow,
  },
  'federation update': {
    synopsis: 'Replaces federation relationships',
    load: async () => (await import('./federation/update.ts')).federationUpdate,
  },
  healthcheck: {
    synopsis: 'Asks the server how it is',
    load: async () => (await import('./healthcheck.ts')).healthcheck,
  },
  'jwt mint': {
    synopsis: 'Mints a JWT-SVID',
    load: async () => (await import('./jwt/mint.ts')).jwtMint,
  },
  'localauthority jwt activate': {
    synopsis: 'Makes the prepared JWT authority sign from now on',
    load: async () => (await import('./localauthority/jwt/activate.ts')).jwtActivate,
  },
  'localauthority jwt prepare': {
    synopsis: 'Prepares a new JWT authority and puts it into the bundle',
    load: async () => (await import('./localauthority/jwt/prepare.ts')).jwtPrepare,
  },
  'localauthority jwt revoke': {
    synopsis: 'Removes a tainted JWT authority from the bundle',
    load: async () => (await import('./localauthority/jwt/revoke.ts')).jwtRevoke,
  },
  'localauthority jwt show': {
    synopsis: 'Shows the JWT authorities of this server',
    load: async () => (await import('./localauthority/jwt/show.ts')).jwtShow,
  },
  'localauthority jwt taint': {
    synopsis: 'Marks the old JWT authority as tainted: what it signed is replaced',
    load: async () => (await import('./localauthority/jwt/taint.ts')).jwtTaint,
  },
  'localauthority x509 activate': {
    synopsis: 'Makes the prepared X.509 authority sign from now on',
    load: async () => (await import('./localauthority/x509/activate.ts')).x509Activate,
  },
  'localauthority x509 prepare': {
    synopsis: 'Prepares a new X.509 authority and puts it into the bundle',
    load: async () => (await import('./localauthority/x509/prepare.ts')).x509Prepare,
  },
  'localauthority x509 revoke': {
    synopsis: 'Removes a tainted X.509 authority from the bundle',
    load: async () => (await import('./localauthority/x509/revoke.ts')).x509Revoke,
  },
  'localauthority x509 show': {
    synopsis: 'Shows the X.509 authorities of this server',
    load: async () => (await import('./localauthority/x509/show.ts')).x509Show,
  },
  'localauthority x509 taint': {
    synopsis: 'Marks the old X.509 authority as tainted: what it signed is replaced',
    load: async () => (await import('./localauthority/x509/taint.ts')).x509Taint,
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
  'upstreamauthority revoke': {
    synopsis: 'Removes a tainted X.509 upstream authority from the bundle',
    load: async () => (await import('./upstreamauthority/revoke.ts')).upstreamAuthorityRevoke,
  },
  'upstreamauthority taint': {
    synopsis: 'Marks an X.509 upstream authority as tainted: what chains to it is replaced',
    load: async () => (await import('./upstreamauthority/taint.ts')).upstreamAuthorityTaint,
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

const witCommands: CommandTable = {
  'wit mint': {
    synopsis: 'Mints a WIT-SVID',
    load: async () => (await import('./wit/mint.ts')).witMint,
  },
};
