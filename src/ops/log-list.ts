import type { LogForms } from './log.ts';

/** A list as Go's loggers print one: `[a b]`, and in JSON a list. */
export const logList = (values: readonly string[]): LogForms => ({
  text: `[${values.join(' ')}]`,
  json: values,
});
