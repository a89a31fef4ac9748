/** Where something stands in its text: both count from 1, columns in characters. */
export type Position = { readonly line: number; readonly column: number };

export const positionText = ({ line, column }: Position): string => `${line}:${column}`;
