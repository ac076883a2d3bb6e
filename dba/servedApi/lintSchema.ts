import type pg from 'pg';
import type { BuildApi } from '../../lint/catalog.ts';
import { type LintReport, lint } from '../../lint/lint.ts';

/** Builds the API as the server does. Loads PostGraphile, which takes half a second, at the first call. */
export const buildServedApi: BuildApi = async (client) => (await import('./build.ts')).buildApi(client);

/**
 * Lints the database of `client`, and the API that the server would build from it.
 *
 * @param text the migrations whose text is linted as well.
 * @param serverUrl a connection string of the server's role, as lint() expects it.
 */
export function lintSchema(
  client: pg.ClientBase,
  text: 'none' | 'current' | 'all' = 'none',
  serverUrl?: string | undefined,
): Promise<LintReport> {
  return lint(client, text, serverUrl, buildServedApi);
}
