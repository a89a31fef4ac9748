import type { HclFile } from './ast.ts';
import { errorAt } from './hcl-error.ts';
import { MAX_HCL_LENGTH } from './limits.ts';
import { parseHcl } from './parse-hcl.ts';
import { parseJson } from './parse-json.ts';

/**
 * Configuration text: JSON if its first visible character is `{`, HCL 1 otherwise. Throws an HclError. The time it
 * takes grows with the length of the text and no faster.
 */
export function readHcl(text: string): HclFile {
  if (text.length > MAX_HCL_LENGTH) {
    throw errorAt({ line: 1, column: 1 }, `longer than ${MAX_HCL_LENGTH} characters`);
  }
  return text.trimStart().startsWith('{') ? parseJson(text) : parseHcl(text);
}
