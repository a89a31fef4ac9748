import { flag } from '../kit/flag.ts';

/** The flags of `run` and `validate`; what is not given says nothing about the configuration file's value. */
export const runFlags = {
  config: flag.string('Configuration file', 'conf/agent/agent.conf'),
  dataDir: flag.string('Folder for what the agent keeps'),
  joinToken: flag.string('Join token to attest with'),
  joinTokenFile: flag.string('File that holds the join token to attest with'),
  logFile: flag.string('File to write the log to'),
  logFormat: flag.string('Format of the log: text or json'),
  logLevel: flag.string('How much to log: debug, info, warn or error'),
  logSourceLocation: flag.bool('Add to each line of the log where it was written'),
  serverAddress: flag.string('IP address or DNS name of the server'),
  serverPort: flag.int('Port of the server'),
  trustDomain: flag.string('Trust domain of the agent'),
  disableWorkloadAPI: flag.bool('Do not serve the Workload API'),
  disableSDSAPI: flag.bool("Do not serve Envoy's secret discovery service"),
  trustBundle: flag.string('File with the bundle by which the server is known at first'),
  trustBundleUrl: flag.string('URL of the bundle by which the server is known at first'),
  trustBundleFormat: flag.string('Format of that bundle: pem or spiffe'),
  allowUnauthenticatedVerifiers: flag.bool('Give bundles to callers without an identity'),
  insecureBootstrap: flag.bool('Believe at first whatever server answers'),
  rebootstrapMode: flag.string('When to start over with a new bundle: never, auto or always'),
  rebootstrapDelay: flag.string('How long the server must be unknown before that'),
  expandEnv: flag.bool('Replace $VARIABLES in the configuration file'),
  socketPath: flag.string('Path of the Workload API socket'),
};
