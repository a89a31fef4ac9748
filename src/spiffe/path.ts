import { Fault } from '../base/fault.ts';

const NOT_IN_SEGMENT = /[^A-Za-z0-9._-]/;

/** The path of a SPIFFE ID (SPIFFE-ID §2.2): empty, or segments with a slash before each. Throws 'invalid'. */
export function checkPath(path: string): void {
  if (path === '') return;
  if (!path.startsWith('/')) throw new Fault('invalid', 'path must have a leading slash');
  const segments = path.slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    if (segment === '' && index === segments.length - 1) {
      throw new Fault('invalid', 'path cannot have a trailing slash');
    }
    checkSegment(segment);
  }
}

/** `/a/b` of `a` and `b`; none is the empty path. Throws 'invalid'. */
export function joinSegments(segments: readonly string[]): string {
  segments.forEach(checkSegment);
  return segments.map((segment) => `/${segment}`).join('');
}

function checkSegment(segment: string): void {
  if (segment === '') throw new Fault('invalid', 'path cannot contain empty segments');
  if (segment === '.' || segment === '..') {
    throw new Fault('invalid', 'path cannot contain dot segments');
  }
  if (NOT_IN_SEGMENT.test(segment)) {
    throw new Fault(
      'invalid',
      'path segment characters are limited to letters, numbers, dots, dashes, and underscores',
    );
  }
}
