import { Fault } from '../base/fault.ts';

/** The text of the object at the start; what follows it is cut off, as Go's decoder leaves it unread. Throws 'invalid'. */
export function firstJsonObject(text: string): string {
  const start = text.search(/[^ \t\r\n]/);
  if (start === -1) throw unexpectedEnd();
  if (text[start] !== '{') throw new Fault('invalid', 'not a JSON object');
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    if (depth === 0) return text.slice(start, at + 1);
  }
  throw unexpectedEnd();
}

/** The position of the closing quote. */
function endOfString(text: string, opening: number): number {
  for (let at = opening + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  throw unexpectedEnd();
}

const unexpectedEnd = (): Fault => new Fault('invalid', 'unexpected end of JSON input');
