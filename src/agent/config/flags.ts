/** What the command line says; an empty, zero or absent value says nothing (`reference/agent.md` §1.3). */
export type AgentFlags = {
  /** Empty: `conf/agent/agent.conf`. */
  readonly config?: string;
  readonly expandEnv?: boolean;
  readonly dataDir?: string;
  readonly joinToken?: string;
  readonly joinTokenFile?: string;
  readonly logFile?: string;
  readonly logFormat?: string;
  readonly logLevel?: string;
  readonly logSourceLocation?: boolean;
  readonly serverAddress?: string;
  readonly serverPort?: number | bigint;
  readonly trustDomain?: string;
  readonly disableWorkloadAPI?: boolean;
  readonly disableSDSAPI?: boolean;
  readonly trustBundle?: string;
  readonly trustBundleUrl?: string;
  readonly trustBundleFormat?: string;
  readonly allowUnauthenticatedVerifiers?: boolean;
  readonly insecureBootstrap?: boolean;
  readonly rebootstrapMode?: string;
  readonly rebootstrapDelay?: string;
  readonly socketPath?: string;
};
