import type { PgCodecWithAttributes, PgResource } from 'postgraphile/@dataplan/pg';

/** An object of the database, as a person names it, and a sentence about it. */
export interface About {
  readonly object: string;
  readonly detail: string;
}

/** What becomes of the API that the server would build from a database. */
export interface Api {
  /** What keeps it from being built. */
  readonly failure: About | undefined;
  /** What tenants are granted and the API does not have; empty where there is no API. */
  readonly unserved: readonly About[];
}

export type Build = GraphileBuild.Build;
export type Table = PgResource<string, PgCodecWithAttributes>;
