/** Nothing that is configured nests deeper; hostile text must not cost us the stack. */
export const MAX_HCL_DEPTH = 64;

/** Far above any configuration: a wrong path (a log, a device) must not cost us the memory. */
export const MAX_HCL_LENGTH = 4 * 1024 * 1024;
