import type { PgResource } from 'postgraphile/@dataplan/pg';
import { access, constant, context, lambda, listen, type Step } from 'postgraphile/grafast';
import type { Introspection } from 'postgraphile/graphile-build-pg/pg-introspection';
import { parse } from 'postgraphile/graphql';
import { extendSchema } from 'postgraphile/utils';
import type { SqlRunner } from '../../tenancy/tenantDatabase.ts';
import { refuseEmptySubscriptions } from './rootField.ts';

const changeEvent = /* GraphQL */ `
  """The kind of a change."""
  enum ChangeEvent {
    """The row was created."""
    INSERT
    """The row was changed."""
    UPDATE
    """The row was deleted, or you can no longer see it."""
    DELETE
    """Changes were missed. Read all displayed rows again."""
    RESYNC
  }
`;

/** Live tables, and the function that notifies their changes. */
const liveTables = `select distinct t.tgrelid::text as id, p.proname as function
  from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'app_private' and p.proname in ('notify_changes', 'notify_organization_changes')`;

/** The owners of the rows of a live table, by the function that notifies its changes. */
const owners: Readonly<Record<string, string>> = {
  notify_changes: 'of yours',
  notify_organization_changes: "of the socket's organization",
};

/**
 * Adds subscriptions such as `todoChanged` for every table whose changes the database notifies. The row of an event is
 * read as the subscriber when the event leaves. An event becomes a DELETE if the subscriber can no longer see the row.
 */
export function livePlugins(database: SqlRunner): GraphileConfig.Plugin[] {
  return [findLiveTables(database), subscriptionFields, refuseEmptySubscriptions];
}

/** Tags the tables with a trigger that notifies changes. */
function findLiveTables(database: SqlRunner): GraphileConfig.Plugin {
  return {
    name: 'LiveTablesPlugin',
    version: '1.0.0',
    gather: {
      hooks: {
        async pgIntrospection_introspection(_info: unknown, { introspection }: { introspection: Introspection }) {
          const { rows } = await database.inspect<{ id: string; function: string }>({ text: liveTables });
          const live = new Map(rows.map((row) => [row.id, row.function]));
          for (const table of introspection.classes) {
            const notify = live.get(table._id);
            if (notify !== undefined) table.getTagsAndDescription().tags.live = notify;
          }
        },
      },
    } as unknown as NonNullable<GraphileConfig.Plugin['gather']>,
  };
}

const subscriptionFields = extendSchema((build) => {
  const resources = (Object.values(build.pgResources) as PgResource[]).filter(
    ({ extensions, parameters }) => extensions?.tags?.live && !parameters,
  );
  const fields = resources.map((resource) => {
    const type = build.inflection.tableType(resource.codec);
    const row = build.inflection.camelCase(type);
    const rowId = build.inflection.attribute({ attributeName: 'id', codec: resource.codec as never });
    const owner = owners[String(resource.extensions?.tags?.live)];
    return { resource, type, row, rowId, owner, field: `${row}Changed`, change: `${type}Change` };
  });
  if (fields.length === 0) return { typeDefs: [] };
  const typeDefs = fields.map(
    ({ type, row, rowId, owner, field, change }) => /* GraphQL */ `
      extend type Subscription {
        """Each \`${type}\` ${owner} that is created, changed or deleted from now on."""
        ${field}: ${change}
      }
      """A change of a \`${type}\`."""
      type ${change} {
        event: ChangeEvent!
        """The key of the row; null with RESYNC."""
        ${rowId}: UUID
        """The row as it is when the event is sent; null with DELETE and RESYNC."""
        ${row}: ${type}
      }`,
  );
  return {
    typeDefs: parse([changeEvent, ...typeDefs].join('\n')),
    objects: Object.fromEntries([
      [
        'Subscription',
        {
          plans: Object.fromEntries(
            fields.map(({ resource, field }) => [
              field,
              {
                subscribePlan: () => listen(context().get('live' as never), constant(tableOf(resource)) as never),
                plan: ($event: Step) => $event,
              },
            ]),
          ),
        },
      ],
      ...fields.map(({ resource, row, rowId, change }) => {
        const $row = ($event: Step) => resource.get({ id: access($event, 'read') } as never);
        const plans = {
          event($event: Step) {
            const $found = $row($event).get('id' as never);
            return lambda([access($event, 'event'), access($event, 'read'), $found], eventFor, true);
          },
          [rowId]: ($event: Step) => access($event, 'id'),
          [row]: $row,
        };
        return [change, { plans }];
      }),
    ]),
  } as never;
});

/** Returns the kind of a change. A row that the subscriber cannot read was deleted or given to another tenant. */
function eventFor([event, read, found]: readonly unknown[]): unknown {
  return read !== null && found === null ? 'DELETE' : event;
}

function tableOf({ extensions, name }: PgResource): string {
  return extensions?.pg?.name ?? name;
}
