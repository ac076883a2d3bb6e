import type { PgCodecWithAttributes } from 'postgraphile/@dataplan/pg';
import { type SQL, sql } from 'postgraphile/pg-sql2';

/**
 * PostGraphile selects a non-null column to find out whether a row exists. This plugin chooses a column that tenants may
 * SELECT, so that they can read tables whose key they may not read.
 */
export const nullChecksPlugin: GraphileConfig.Plugin = {
  name: 'NullChecksPlugin',
  version: '1.0.0',
  after: ['PgRBACPlugin'],
  gather: {
    hooks: {
      pgCodecs_PgCodec(_info: unknown, { pgCodec }: { pgCodec: PgCodecWithAttributes }) {
        if (pgCodec.attributes) avoidUnreadable(pgCodec);
      },
    },
  } as unknown as NonNullable<GraphileConfig.Plugin['gather']>,
};

function avoidUnreadable(codec: PgCodecWithAttributes): void {
  const columns = Object.entries(codec.attributes);
  const unreadable = columns.filter(([, { extensions }]) => extensions?.canSelect === false);
  // Tables without a readable column are read through functions, which have no column grants.
  if (unreadable.length === 0 || unreadable.length === columns.length) return;
  for (const [, attribute] of unreadable) attribute.restrictedAccess = true;
  const name = columns.find(([, { notNull, restrictedAccess }]) => notNull && !restrictedAccess)?.[0];
  // Without such a column, the row always exists: only a join by key can miss it, and that needs the grant on the key.
  const check = (alias: SQL) =>
    name === undefined ? sql`true::text` : sql`(not (${alias}.${sql.identifier(name)} is null))::text`;
  Object.assign(codec, { notNullExpression: check });
}
