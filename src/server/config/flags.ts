/** What the command line says; an empty, zero or absent value says nothing (`reference/server.md` §1.3). */
export type ServerFlags = {
  /** Empty: `conf/server/server.conf`. */
  readonly config?: string;
  readonly expandEnv?: boolean;
  readonly bindAddress?: string;
  readonly serverPort?: number | bigint;
  readonly dataDir?: string;
  readonly logFile?: string;
  readonly logFormat?: string;
  readonly logLevel?: string;
  readonly logSourceLocation?: boolean;
  readonly trustDomain?: string;
  readonly socketPath?: string;
};
