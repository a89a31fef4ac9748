/**
 * The parts of a method's metric (`reference/server.md` §12): `/spire.api.server.svid.v1.SVID/MintX509SVID` is
 * `svid.v1.svid.mint_x509svid`. `name` says what the service is called instead of its full name.
 */
export function methodMetricKey(
  methodPath: string,
  name: (service: string) => string = (service) => service,
): readonly string[] {
  const [, service = '', method = ''] = methodPath.split('/');
  return [...name(service).split('.'), method].map(snakeCase);
}

/**
 * An underscore goes before a capital that has a small letter on either side, unless it is the first character or the
 * last; what is neither letter nor digit becomes one.
 */
export function snakeCase(text: string): string {
  let result = '';
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (!/[A-Za-z0-9]/.test(character)) {
      result += '_';
      continue;
    }
    const between = i > 0 && i < text.length - 1;
    const startsWord =
      isUpper(character) && (isLower(text[i - 1] ?? '') || isLower(text[i + 1] ?? ''));
    if (between && startsWord && !result.endsWith('_')) result += '_';
    result += character.toLowerCase();
  }
  return result;
}

const isUpper = (character: string): boolean => /[A-Z]/.test(character);
const isLower = (character: string): boolean => /[a-z]/.test(character);
