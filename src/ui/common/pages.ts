import type { Page } from './refresher';

/** How often reading begins again before what was found is good enough. */
const ATTEMPTS = 3;

/**
 * The rows of all pages, each once. Reading begins again if rows came or went meanwhile, which moves others to pages that
 * were read or are still to be read.
 * @param page from 1 on
 * @param most so many are enough
 */
export async function allPages<Row>(
  pageOf: (page: number) => Promise<Page<Row>>,
  most: number,
  idOf: (row: Row) => string,
): Promise<Row[]> {
  let found = new Map<string, Row>();
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    found = new Map();
    const { count, isStable } = await readPages(pageOf, most, (row) => found.set(idOf(row), row));
    if (isStable && found.size >= Math.min(count, most)) break;
  }
  return [...found.values()];
}

async function readPages<Row>(
  pageOf: (page: number) => Promise<Page<Row>>,
  most: number,
  take: (row: Row) => void,
): Promise<{ count: number; isStable: boolean }> {
  const first = await pageOf(1);
  first.rows.forEach(take);
  const wanted = Math.min(first.count, most);
  let isStable = true;
  for (let page = 2, read = first.rows.length; read < wanted; page++) {
    const next = await pageOf(page);
    next.rows.forEach(take);
    read += next.rows.length;
    isStable &&= next.count === first.count;
    if (!next.rows.length) break;
  }
  return { count: first.count, isStable };
}
