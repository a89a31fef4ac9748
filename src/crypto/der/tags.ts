/** The identifier octets that X.509 uses (X.690 §8.1.2); SEQUENCE and SET come constructed only. */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  UTF8_STRING: 0x0c,
  NUMERIC_STRING: 0x12,
  PRINTABLE_STRING: 0x13,
  T61_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** `[number] IMPLICIT` of a primitive type. */
export const contextTag = (number: number): number => 0x80 | number;

/** `[number]`, constructed: EXPLICIT, or IMPLICIT of a SEQUENCE or SET. */
export const explicitTag = (number: number): number => 0xa0 | number;
