import type http from 'node:http';
import type https from 'node:https';

/**
 * Node's HTTP modules. `import 'node:http'` would read each of their exports, among them one that loads a WebSocket
 * client: 14 MB, which a small agent must not pay for probes or for one download.
 */
export const nodeHttp = (): typeof http => process.getBuiltinModule('node:http');
export const nodeHttps = (): typeof https => process.getBuiltinModule('node:https');
