/** The SPIRE version that we stand in for: what `--version`, agents and the database say. */
export const SPIRE_VERSION = '1.16.0';

/** Our own; a test holds it to package.json. */
export const STEEPLE_VERSION = '0.1.0';
