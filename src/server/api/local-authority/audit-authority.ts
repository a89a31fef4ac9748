import type { Call } from '../call.ts';

/** Names in the audit record what was asked for, if anything. */
export function auditAuthority(call: Pick<Call, 'audit'>, authorityId: string): void {
  if (authorityId !== '') call.audit({ local_authority_id: authorityId });
}

/** As it was given, whatever its case. */
export function auditSubjectKeyId(call: Pick<Call, 'audit'>, subjectKeyId: string): void {
  if (subjectKeyId !== '') call.audit({ subject_key_id: subjectKeyId });
}
