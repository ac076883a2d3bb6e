import type { PgClientQuery, WithPgClient } from 'postgraphile/@dataplan/pg';
import type { ExecutionDetails } from 'postgraphile/grafast';
import type { DocumentNode } from 'postgraphile/graphql';
import type { ApplyCursors } from '../cursors/step.ts';
import { asSelect, type Select, unaryValue } from './select.ts';
import { shapeOf } from './shape.ts';
import { pageOf, record, type Template, valuesOf } from './template.ts';

declare global {
  namespace DataplanPg {
    interface PgResourceExtensions {
      /** Its primary key is one that Postgres enforces over all of its rows. */
      hasRealKey?: boolean;
    }
  }
}

/** Templates that are kept for one select of one planned operation, and characters of their SQL: beyond it the oldest go. */
const limits = { templates: 20, characters: 100_000 } as const;
/** Characters that all that decides on a template may have. */
const longestKey = 300;

/** Bytes that a template takes beside its SQL. */
const templateBytes = 1000;

/** SQL templates by cache key; `undefined` marks SQL that PostGraphile alone can build. */
class Templates extends Map<string, Template | undefined> {
  /** Bytes that they have taken at the most. */
  #most = 0;

  /** @returns how many bytes they take more than ever before. */
  keep(key: string, template: Template | undefined): number {
    this.set(key, template);
    let characters = [...this.values()].reduce((sum, kept) => sum + (kept?.text.length ?? 0), 0);
    for (const [oldest, kept] of this) {
      if (this.size <= limits.templates && characters <= limits.characters) break;
      this.delete(oldest);
      characters -= kept?.text.length ?? 0;
    }
    const before = this.#most;
    this.#most = Math.max(before, characters + this.size * templateBytes);
    return this.#most - before;
  }
}

const templatesOf = new WeakMap<Select, Templates>();

/**
 * PostGraphile builds a select's SQL again for each request. Here that is done once for all requests of a plan whose
 * variables of the deciding kind are equal: how many, in which order. What SQL only binds, which is keys and cursors, is
 * filled in. All else is left to PostGraphile; conditions that come as variables, too, or the time of an answer would tell
 * one tenant what another has looked for.
 */
export const sqlTemplatesPlugin = (grow: (document: DocumentNode, bytes: number) => void): GraphileConfig.Plugin => ({
  name: 'SqlTemplatesPlugin',
  version: '1.0.0',
  gather: {
    hooks: {
      pgTables_PgResourceOptions(_info, { pgClass, resourceOptions }) {
        // The keys of views are what somebody says, and children of a table repeat its keys.
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
        const keep = (made: Template | undefined) => grow(args.document, templates.keep(key, made));
        return firstTime(keep, select, executeDetails).then((result) => result ?? next());
      },
    },
  },
});

async function firstTime(keep: (template: Template | undefined) => void, select: Select, details: ExecutionDetails) {
  const template = await record(select, details);
  keep(template);
  return template && run(template, select, details);
}

/** Of everything that decides what SQL a select is; undefined where something does that is not known here. */
function keyOf(
  select: Select,
  { count, values, stream, extra }: ExecutionDetails,
  variables: Readonly<Record<string, unknown>>,
): string | undefined {
  // Somebody wants to be told of the SQL, or asks for many pages at once, or backwards.
  if (extra.eventEmitter || count !== 1 || stream || unaryValue(values, select.lastStepId) != null) return undefined;
  const shape = shapeOf(select);
  const given = (name: string) => (Object.hasOwn(variables, name) ? [variables[name]] : []);
  if (!shape || shape.sensitive.some((name) => given(name)[0] != null)) return undefined;
  const cursors = [];
  for (const id of [select.afterStepId, select.beforeStepId]) {
    const cursor = unaryValue(values, id);
    if (cursor == null) continue;
    // A natural cursor is an offset.
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
  // A variable that is not given is something else than null.
  const key = JSON.stringify([cursors, cacheable.map(given), sensitive.map(given)]);
  return key.length > longestKey ? undefined : key;
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
