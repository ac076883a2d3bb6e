import type { PgCodecWithAttributes, PgResource } from 'postgraphile/@dataplan/pg';

/** A problem with a database object. */
export interface About {
  /** The object as people name it, such as `app_public.notes`. */
  readonly object: string;
  readonly detail: string;
}

/** Result of building the API from a database. */
export interface Api {
  /** The first reason why the API cannot be built. */
  readonly failure: About | undefined;
  /** Objects on which tenants have a grant and which the API leaves out. Empty if there is no API. */
  readonly unserved: readonly About[];
}

export type Build = GraphileBuild.Build;
export type Table = PgResource<string, PgCodecWithAttributes>;
