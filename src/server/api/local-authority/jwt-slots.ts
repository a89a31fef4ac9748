import { Fault } from '../../../base/fault.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';

/** The slots of JWT keys. Throws 'unimplemented' where JWT-SVIDs are switched off. */
export function jwtSlots({ jwt }: Pick<AuthorityManager, 'jwt'>) {
  if (jwt === undefined) throw new Fault('unimplemented', 'JWT functionality is disabled');
  return jwt;
}
