import type pg from 'pg';
import { NameIndex } from './nameIndex.ts';
import { readSource, readUnconditional, type SourceReads } from './sourceReads.ts';
import { readTree, type TreeReads } from './treeReads.ts';

/** Functions and relations that a function or view uses directly while the statement of its caller runs. */
export interface Body {
  /** `app_public.f()`, or the view's name. */
  readonly name: string;
  readonly kind: 'function' | 'aggregate' | 'view';
  /** Whether it reads tables with the rights of its owner, so the policies of the caller do not apply. */
  readonly asOwner: boolean;
  /** The oids of the functions that it calls. Each inner list has the candidates for one name. */
  readonly calls: readonly (readonly string[])[];
  /** The oids of the relations that it reads or writes, in the same form. */
  readonly relations: readonly (readonly string[])[];
  /** Relations and columns that it selects, as Postgres records them. Undefined if only the text is available. */
  readonly selects: TreeReads['selects'] | undefined;
  /** The names in the text. Undefined if Postgres stores a node tree. */
  readonly words: ReadonlySet<string> | undefined;
  /** Whether a condition can prevent parts of it from running. */
  readonly isConditional: boolean;
  /** Uses that every run reaches. `bodies` are the functions and views with bodies that every run reaches. */
  readonly certain: Pick<Body, 'calls' | 'relations'> & { readonly bodies: readonly string[] };
}

const routines = `
  select p.oid::text, format('%s.%s()', n.nspname, p.proname) as name, p.prosecdef as definer, p.prosrc as source, l.lanname as language,
    p.prosqlbody::text as body,
    (select substr(c, 13) from unnest(p.proconfig) c where c like 'search\\_path=%') as path
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
  where p.oid >= 16384 and l.lanname in ('sql', 'plpgsql')`;

/** Its owner needs EXECUTE on the functions of the aggregate. They run as the caller. */
const aggregates = `
  select a.aggfnoid::oid::text as oid, format('%s()', a.aggfnoid) as name,
    array(select f::oid::text from unnest(array[aggtransfn, aggfinalfn, aggcombinefn, aggmtransfn, aggminvtransfn, aggmfinalfn]) f
      where f <> 0) as parts
  from pg_aggregate a where a.aggfnoid::oid >= 16384`;

const views = `
  select c.oid::text, c.oid::regclass::text as name, r.ev_action::text as tree,
    coalesce(c.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1,security_invoker=yes}', false) as invoker
  from pg_class c join pg_rewrite r on r.ev_class = c.oid and r.ev_type = '1'
  where c.oid >= 16384 and c.relkind = 'v'`;

/** Reads the bodies of all views, aggregates and functions in SQL or PL/pgSQL. The keys are oids. */
export async function readBodies(client: pg.ClientBase): Promise<ReadonlyMap<string, Body>> {
  const names = await NameIndex.open(client);
  const bodies = new Map<string, Body>();
  const functions = await client.query<{
    oid: string;
    name: string;
    definer: boolean;
    language: string;
    source: string;
    body: string | null;
    path: string | null;
  }>(routines);
  for (const { oid, name, definer, language, source, body, path } of functions.rows) {
    const own = { name, kind: 'function' as const, asOwner: definer };
    if (body !== null) {
      bodies.set(oid, { ...own, ...ofTree(body), isConditional: true });
      continue;
    }
    const find = (reads: SourceReads) => ({
      calls: reads.calls.map((call) => names.find('function', call, path)),
      relations: reads.tables.map((table) => names.find('relation', table, path)),
    });
    const reads = readSource(source);
    // Postgres checks all privileges of an SQL statement before it runs.
    const always = language === 'plpgsql' ? readUnconditional(source) : reads;
    const certain = find(always);
    const reached = [...(always.isConditional ? [] : certain.calls), ...certain.relations];
    bodies.set(oid, {
      ...own,
      ...find(reads),
      selects: undefined,
      words: new Set(reads.names.map((one) => one.name)),
      isConditional: reads.isConditional,
      certain: { ...certain, bodies: reached.flatMap((meant) => (meant.length === 1 ? meant : [])) },
    });
  }
  const ofRows = await client.query<{ oid: string; name: string; parts: string[] }>(aggregates);
  for (const { oid, name, parts } of ofRows.rows) {
    const calls = parts.map((part) => [part]);
    bodies.set(oid, {
      name,
      kind: 'aggregate',
      asOwner: false,
      calls,
      relations: [],
      selects: [],
      words: undefined,
      isConditional: true,
      certain: { calls, relations: [], bodies: [] },
    });
  }
  const all = await client.query<{ oid: string; name: string; tree: string; invoker: boolean }>(views);
  for (const { oid, name, tree, invoker } of all.rows)
    bodies.set(oid, { name, kind: 'view', asOwner: !invoker, ...ofTree(tree), isConditional: true });
  return bodies;
}

function ofTree(tree: string): Pick<Body, 'calls' | 'relations' | 'selects' | 'words' | 'certain'> {
  const { functions, relations, selects } = readTree(tree);
  const calls = functions.map((oid) => [oid]);
  const used = relations.map((oid) => [oid]);
  const isConditional = /\{(CASEEXPR|COALESCEEXPR|NULLIFEXPR|MINMAXEXPR|BOOLEXPR|RANGETBLENTRY) /.test(tree);
  const bodies = [...(isConditional ? [] : functions), ...relations];
  return { calls, relations: used, selects, words: undefined, certain: { calls, relations: used, bodies } };
}
