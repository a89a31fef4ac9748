type Environment = Readonly<Record<string, string | undefined>>;

/** One-character names that may follow a dollar sign without braces. */
const SPECIAL = /[*#$@!?\-0-9]/;
const NAME = /[A-Za-z0-9_]/;

/**
 * Replaces `$NAME` and `${NAME}` as Go's `os.Expand` does (`reference/cli.md` §3.6): an unset variable is empty, `$$`
 * is a dollar sign, `${}` goes away, an unclosed `${` loses these two characters, and a dollar sign that no name
 * follows stays.
 */
export function expandEnv(text: string, environment: Environment): string {
  const lastBrace = text.lastIndexOf('}');
  const look = (name: string): string => (name === '$' ? '$' : (environment[name] ?? ''));
  let expanded = '';
  let from = 0;
  for (;;) {
    const dollar = text.indexOf('$', from);
    if (dollar === -1 || dollar === text.length - 1) return expanded + text.slice(from);
    const { value, end } = expandAt(text, dollar + 1, lastBrace, look);
    expanded += text.slice(from, dollar) + value;
    from = end;
  }
}

type Look = (name: string) => string;
type Expansion = { readonly value: string; readonly end: number };

/** The variable whose name, braces included, starts at `start`. */
function expandAt(text: string, start: number, lastBrace: number, look: Look): Expansion {
  const first = text[start] ?? '';
  if (first === '{') return expandBraced(text, start + 1, lastBrace, look);
  if (SPECIAL.test(first)) return { value: look(first), end: start + 1 };
  let end = start;
  while (end < text.length && NAME.test(text[end] ?? '')) end += 1;
  return { value: end === start ? '$' : look(text.slice(start, end)), end };
}

function expandBraced(text: string, start: number, lastBrace: number, look: Look): Expansion {
  if (start > lastBrace) return { value: '', end: start };
  const close = text.indexOf('}', start);
  return { value: look(text.slice(start, close)), end: close + 1 };
}
