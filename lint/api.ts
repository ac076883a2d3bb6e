import type { PgCodecWithAttributes, PgResource } from 'postgraphile/@dataplan/pg';

/** An object of the database, as a person names it, and a sentence about it. */
export interface About {
  readonly object: string;
  readonly detail: string;
}

/** Result of building the API from a database. */
export interface Api {
  /** The reason why the API cannot be built. */
  readonly failure: About | undefined;
  /** Objects that tenants are granted and the API leaves out; empty where there is no API. */
  readonly unserved: readonly About[];
}

export type Build = GraphileBuild.Build;
export type Table = PgResource<string, PgCodecWithAttributes>;
