import type { PgClientQuery, WithPgClient } from 'postgraphile/@dataplan/pg';
import type { ExecutionDetails } from 'postgraphile/grafast';
import type { DocumentNode } from 'postgraphile/graphql';
import type { ApplyCursors } from '../cursors/step.ts';
import { asSelect, type Select, unaryValue } from '../internals/select.ts';
import { shapeOf } from './shape.ts';
import { pageOf, record, type Template, valuesOf } from './template.ts';

declare global {
  namespace DataplanPg {
    interface PgResourceExtensions {
      /** Postgres enforces the primary key over all rows. */
      hasRealKey?: boolean;
    }
  }
}

/** The maximum number of templates for one select of one plan, and of the characters of their SQL. */
const limits = { templates: 20, characters: 100_000 } as const;
/** The maximum length of a cache key, in characters. */
const maxKeyLength = 300;

/** The memory of a template without its SQL, in bytes. */
const templateBytes = 1000;

/**
 * The SQL templates of one select by cache key; `undefined` marks SQL that only PostGraphile can build. Beyond the limits,
 * the oldest templates are removed.
 */
class Templates extends Map<string, Template | undefined> {
  /** The maximum memory so far, in bytes. */
  #peak = 0;

  /** Adds a template. Returns the number of bytes by which the memory exceeds its previous maximum. */
  keep(key: string, template: Template | undefined): number {
    this.set(key, template);
    let characters = [...this.values()].reduce((sum, kept) => sum + (kept?.text.length ?? 0), 0);
    for (const [oldest, kept] of this) {
      if (this.size <= limits.templates && characters <= limits.characters) break;
      this.delete(oldest);
      characters -= kept?.text.length ?? 0;
    }
    const before = this.#peak;
    this.#peak = Math.max(before, characters + this.size * templateBytes);
    return this.#peak - before;
  }
}

const templatesOf = new WeakMap<Select, Templates>();

/**
 * Caches the SQL of selects. PostGraphile builds it again for each request. This plugin builds it once for all requests of
 * a plan with equal cacheable variables, such as page sizes and orders. Keys and cursors are bound parameters, which each
 * request fills in.
 *
 * PostGraphile builds all other SQL, including conditions in variables. If conditions were cached, the response time would
 * reveal to a tenant which values another tenant has searched for.
 */
export const sqlTemplatesPlugin = (grow: (document: DocumentNode, bytes: number) => void): GraphileConfig.Plugin => ({
  name: 'SqlTemplatesPlugin',
  version: '1.0.0',
  gather: {
    hooks: {
      pgTables_PgResourceOptions(_info, { pgClass, resourceOptions }) {
        // Postgres does not enforce declared keys of views. Child tables can repeat keys of their parent.
        const hasRealKey = pgClass.relkind === 'p' || (pgClass.relkind === 'r' && !pgClass.relhassubclass);
        resourceOptions.extensions = { ...resourceOptions.extensions, hasRealKey };
      },
    },
  },
  grafast: {
    middleware: {
      executeStep(next, { args, step, executeDetails }) {
        const select = asSelect(step);
        if (!select) return next();
        const key = keyOf(select, executeDetails, args.variableValues ?? {});
        if (key === undefined) return next();
        const templates = templatesOf.get(select) ?? new Templates();
        const template = templates.get(key);
        if (template) return run(template, select, executeDetails);
        if (templates.has(key)) return next();
        templatesOf.set(select, templates);
        const keep = (built: Template | undefined) => grow(args.document, templates.keep(key, built));
        return buildAndRun(keep, select, executeDetails).then((result) => result ?? next());
      },
    },
  },
});

async function buildAndRun(keep: (template: Template | undefined) => void, select: Select, details: ExecutionDetails) {
  const template = await record(select, details);
  keep(template);
  return template && run(template, select, details);
}

/** Builds the cache key from all inputs of a select's SQL; `undefined` if the SQL cannot be cached. */
function keyOf(
  select: Select,
  { count, values, stream, extra }: ExecutionDetails,
  variables: Readonly<Record<string, unknown>>,
): string | undefined {
  // Not cacheable: a listener wants the SQL, or the select has several pages, a stream or a backward page.
  if (extra.eventEmitter || count !== 1 || stream || unaryValue(values, select.lastStepId) != null) return undefined;
  const shape = shapeOf(select);
  const given = (name: string) => (Object.hasOwn(variables, name) ? [variables[name]] : []);
  if (!shape || shape.sensitive.some((name) => given(name)[0] != null)) return undefined;
  const cursors = [];
  for (const id of [select.afterStepId, select.beforeStepId]) {
    const cursor = unaryValue(values, id);
    if (cursor == null) continue;
    // PostGraphile converts a natural cursor to an offset.
    if (!Array.isArray(cursor) || cursor[0] === 'natural') return undefined;
    cursors.push([id, cursor[0], cursor.length]);
  }
  for (const id of shape.cursorIds) {
    const given = (unaryValue(values, id) as ApplyCursors).cursors;
    for (const side of ['after', 'before'] as const) {
      const [digest, ...places] = given[side] ?? [];
      if (digest !== undefined) cursors.push([id, side, digest, ...places.map((value) => value === null)]);
    }
  }
  const { cacheable, sensitive } = shape;
  if (cacheable.length + sensitive.length + cursors.length === 0) return '';
  // `given` distinguishes a missing variable from null.
  const key = JSON.stringify([cursors, cacheable.map(given), sensitive.map(given)]);
  return key.length > maxKeyLength ? undefined : key;
}

interface Context {
  readonly pgSettings: Record<string, string | undefined>;
  readonly withPgClient: WithPgClient;
}

async function run(template: Template, select: Select, { values }: ExecutionDetails) {
  const { pgSettings, withPgClient } = unaryValue(values, select.contextId) as Context;
  const query: PgClientQuery = { text: template.text, values: valuesOf(template, values) as never, arrayMode: true };
  const { rows } = await withPgClient(pgSettings, (client) => client.query<unknown[]>(query));
  return [pageOf(template, rows, select, values)];
}
