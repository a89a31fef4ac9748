/** The fields that an output mask lets through; no mask means all (`reference/server.md` §14.1). */
export function masked<Fields extends object>(
  fields: Fields,
  mask: { readonly [field in keyof Fields]?: unknown } | undefined,
): Partial<Fields> {
  if (mask === undefined) return fields;
  const passed = Object.entries(fields).filter(([field]) => mask[field as keyof Fields] === true);
  return Object.fromEntries(passed) as Partial<Fields>;
}
