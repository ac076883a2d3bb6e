import type pg from 'pg';
import type { BuildApi } from '../../lint/catalog.ts';
import { type LintReport, lint } from '../../lint/lint.ts';

/** Builds the API as the server does. PostGraphile, which takes half a second to load, is loaded at the first call. */
export const buildServedApi: BuildApi = async (client) => (await import('./build.ts')).buildApi(client);

/** Lints the database of `client` as `lint` does, and the API that the server would build from it. */
export function lintSchema(
  client: pg.ClientBase,
  text: 'none' | 'current' | 'all' = 'none',
  serverUrl?: string | undefined,
): Promise<LintReport> {
  return lint(client, text, serverUrl, buildServedApi);
}
