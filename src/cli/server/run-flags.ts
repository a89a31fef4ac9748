import { flag } from '../kit/flag.ts';

/** The flags of `run` and `validate`; what is not given says nothing about the configuration file's value. */
export const runFlags = {
  bindAddress: flag.string('IP address or DNS name to listen on'),
  serverPort: flag.int('Port to listen on'),
  config: flag.string('Configuration file; conf/server/server.conf if there is none'),
  dataDir: flag.string('Folder for what the server keeps'),
  logFile: flag.string('File to write the log to'),
  logFormat: flag.string('Format of the log: text or json'),
  logLevel: flag.string('How much to log: debug, info, warn or error'),
  logSourceLocation: flag.bool('Add to each line of the log where it was written'),
  trustDomain: flag.string('Trust domain of the server'),
  expandEnv: flag.bool('Replace $VARIABLES in the configuration file'),
  socketPath: flag.string('Path of the server API socket'),
};
