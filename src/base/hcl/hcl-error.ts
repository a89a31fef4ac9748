import { Fault } from '../fault.ts';
import { type Position, positionText } from './position.ts';

/** Text that is not HCL. The message is the reference's, which has the position in it for HCL but not for JSON. */
export class HclError extends Fault {
  readonly position: Position;

  constructor(message: string, position: Position) {
    super('invalid', message);
    this.position = position;
  }
}

export const errorAt = (position: Position, reason: string): HclError =>
  new HclError(`At ${positionText(position)}: ${reason}`, position);
