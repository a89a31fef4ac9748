import { Fault } from '../../../base/fault.ts';
import { flag } from '../../kit/flag.ts';

export const subjectKeyIdFlag = (deed: string) => ({
  subjectKeyID: flag.string(`Subject key ID (hex) of the upstream CA certificate to ${deed}`),
});

export function requiredSubjectKeyId(subjectKeyId: string): string {
  if (subjectKeyId !== '') return subjectKeyId;
  throw new Fault('invalid', 'the Subject Key ID of the X.509 upstream authority is required');
}
