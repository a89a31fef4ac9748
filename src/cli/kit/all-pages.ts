/** The items of all pages of a list, in order. */
export async function allPages<T>(
  fetchPage: (
    pageToken: string,
  ) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<T[]> {
  const all: T[] = [];
  let pageToken = '';
  do {
    const { items, nextPageToken } = await fetchPage(pageToken);
    for (const item of items) all.push(item);
    pageToken = nextPageToken;
  } while (pageToken !== '');
  return all;
}
