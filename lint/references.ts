import type pg from 'pg';
import { readValues, type ValueRead } from './claimReads.ts';
import { readSourceValues } from './claimSource.ts';
import { type Named, NameIndex } from './nameIndex.ts';
import { parseNodeTree } from './nodeTree.ts';
import { clock, dependsOnSession } from './sessionFunctions.ts';
import { readSource } from './sourceReads.ts';
import { decidesByTime } from './timeReads.ts';
import { readsCurrentTime, sourceDecidesByTime } from './timeSource.ts';
import { readTree } from './treeReads.ts';

/** References of an expression, a view or a function, its own and those of all that it calls or reads. */
export interface References {
  /** Settings that are read by name; undefined where the name is computed. */
  readonly settings: ReadonlySet<string | undefined>;
  /** Keywords and functions whose value differs between sessions, such as session_user and inet_client_addr(). */
  readonly session: ReadonlySet<string>;
  /** Functions whose answer cannot be told from the catalog, with the reason. */
  readonly opaque: ReadonlyMap<string, string>;
  /** The oids of all functions and relations. */
  readonly oids: ReadonlySet<string>;
  /** It reads the clock. */
  readonly tellsTime: boolean;
  /** It reads a table or view that is not Postgres' own. */
  readonly readsRows: boolean;
  /** The parts of settings' values that it reads. */
  readonly values: readonly SettingValueRead[];
  /** Settings in the form of PostgREST before version 9 that are read without the claim that succeeds them. */
  readonly superseded: ReadonlySet<string>;
}

/** A part of the value of a setting in JSON, by its keys; no keys stand for the whole value. */
interface SettingValueRead {
  readonly setting: string;
  readonly path: readonly string[];
}

/** Direct references of one function, view or expression. */
interface Direct {
  readonly settings: readonly (string | undefined)[];
  readonly session: readonly string[];
  readonly opaque?: readonly [name: string, reason: string];
  readonly uses: readonly string[];
  readonly tellsTime?: boolean;
  readonly values: readonly ValueRead[];
  /** Its parsed trees or its text, in which conditions on the time alone are looked for. */
  readonly trees?: readonly string[];
  readonly text?: Pick<RoutineRow, 'source' | 'path' | 'returnsBoolean'>;
}

interface RoutineRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly count: number;
  readonly language: string;
  readonly immutable: boolean;
  readonly extension: boolean;
  readonly source: string;
  readonly returnsBoolean: boolean;
  readonly body: string | null;
  /** Of its arguments: a call in which they are left out evaluates them. */
  readonly defaults: string | null;
  readonly builtIn: boolean;
  readonly path: string | null;
  readonly parts: readonly string[];
}

const routinesByOid = `
  select p.oid::text, n.nspname as schema, p.proname as name, p.pronargs as count, l.lanname as language,
    p.provolatile = 'i' as immutable, p.prosrc as source, p.prorettype = 'boolean'::regtype as "returnsBoolean", p.prosqlbody::text as body,
    p.proargdefaults::text as defaults, p.oid < 16384 and n.nspname = 'pg_catalog' as "builtIn",
    exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e') as extension,
    (select substr(c, 13) from unnest(p.proconfig) c where c like 'search\\_path=%') as path,
    array(select f::oid::text from pg_aggregate a,
      unnest(array[aggtransfn, aggfinalfn, aggcombinefn, aggmtransfn, aggminvtransfn, aggmfinalfn]) f
      where a.aggfnoid = p.oid and f <> 0) as parts
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
  where p.oid = any ($1::oid[])`;

const viewsByOid = `
  select r.ev_class::text as oid, r.ev_action::text as tree from pg_rewrite r
  where r.ev_class = any ($1::oid[]) and r.ev_type = '1'`;

/** Follows references through the catalog. What Postgres keeps parsed is read as it is; of other functions the text is read. */
export class ReferenceReader {
  readonly #client: pg.ClientBase;
  readonly #names: NameIndex;
  readonly #direct = new Map<string, Direct>();
  readonly #clocks = new Map<string, { readonly isClock: boolean; readonly readsRows: boolean }>();
  readonly #byTime = new Map<string, boolean>();

  private constructor(client: pg.ClientBase, names: NameIndex) {
    this.#client = client;
    this.#names = names;
  }

  static async open(client: pg.ClientBase): Promise<ReferenceReader> {
    return new ReferenceReader(client, await NameIndex.open(client));
  }

  /**
   * @param trees pg_node_trees, as text.
   * @param oids of functions and views.
   */
  of(trees: readonly string[], oids: readonly string[] = []): Promise<References> {
    return this.#follow([
      ...trees.map(directOfTree),
      {
        ...nothing,
        uses: oids,
        values: oids.map((oid) => ({ calls: [oid], path: [], isResult: false, isCheck: false })),
      },
    ]);
  }

  async #follow(roots: readonly Direct[]): Promise<References> {
    const settings = new Set<string | undefined>();
    const session = new Set<string>();
    const opaque = new Map<string, string>();
    const oids = new Set<string>();
    const superseded = new Set<string>();
    let tellsTime = false;
    for (let left = roots; left.length > 0; ) {
      const next = new Set<string>();
      for (const direct of left) {
        for (const name of direct.settings)
          if (name !== undefined && unsettable.has(name)) session.add(name);
          else settings.add(name);
        for (const name of direct.session) session.add(name);
        for (const name of supersededAlone(direct)) superseded.add(name);
        tellsTime ||= direct.tellsTime ?? false;
        if (direct.opaque) opaque.set(...direct.opaque);
        for (const oid of direct.uses) if (!oids.has(oid)) next.add(oid);
      }
      for (const oid of next) oids.add(oid);
      await this.#load([...next]);
      left = [...next].flatMap((oid) => this.#direct.get(oid) ?? []);
    }
    return {
      settings,
      session,
      opaque,
      oids,
      tellsTime,
      readsRows: [...oids].some((oid) => this.#names.relations.has(oid)),
      values: [...this.#valuesOf(roots, new Map()).values()],
      superseded,
    };
  }

  /**
   * Whether a condition in an expression, a view or a function, or in what they use at any depth, depends on the time and
   * on nothing of a row.
   */
  async decidesByTime(trees: readonly string[], oids: readonly string[]): Promise<boolean> {
    const { oids: all } = await this.of(trees, oids);
    for (const oid of all) {
      if (this.#clocks.has(oid) || Number(oid) < firstOfUsers) continue;
      const { tellsTime, readsRows } = await this.of([], [oid]);
      this.#clocks.set(oid, { isClock: tellsTime && !readsRows, readsRows });
    }
    return (
      trees.some((tree) => this.#treeDecidesByTime(tree)) ||
      [...all].some((oid) => Number(oid) >= firstOfUsers && this.#oidDecidesByTime(oid))
    );
  }

  #oidDecidesByTime(oid: string): boolean {
    const before = this.#byTime.get(oid);
    if (before !== undefined) return before;
    const { trees = [], text } = this.#direct.get(oid) ?? nothing;
    const knows = (of: 'isClock' | 'readsRows') => (call: Named) =>
      this.#names.find('function', call, text?.path ?? null).some((one) => this.#clocks.get(one)?.[of]);
    const found =
      trees.some((tree) => this.#treeDecidesByTime(tree)) ||
      (text !== undefined &&
        sourceDecidesByTime(text.source, {
          isClock: knows('isClock'),
          readsRows: knows('readsRows'),
          returnsBoolean: text.returnsBoolean,
        }));
    this.#byTime.set(oid, found);
    return found;
  }

  #treeDecidesByTime(tree: string): boolean {
    return decidesByTime(parseNodeTree(tree), {
      isClock: (oid) => this.#clocks.get(oid)?.isClock ?? false,
      readsRows: (oid) => this.#clocks.get(oid)?.readsRows ?? false,
    });
  }

  /** Collects the parts of settings that some expressions read, through functions at any depth. */
  #valuesOf(directs: readonly Direct[], done: Map<string, ReadonlyMap<string, Composed>>): Map<string, Composed> {
    const found = new Map<string, Composed>();
    const add = (read: Composed) => {
      if (read.isCheck && read.path.length === 0) return;
      const { setting, path, isResult } = read;
      found.set(JSON.stringify([setting, path, isResult]), read);
    };
    for (const { values, uses } of directs) {
      const called = new Set(values.flatMap(({ calls = [] }) => calls));
      const others = uses
        .filter((oid) => !called.has(oid))
        .map((oid): ValueRead => ({ calls: [oid], path: [], isResult: false, isCheck: false }));
      for (const { setting, calls = [], path, isResult, isCheck } of [...values, ...others]) {
        if (setting !== undefined) add({ setting, path, isResult, isCheck });
        for (const oid of calls)
          for (const inner of this.#valuesOfOid(oid, done).values())
            add(inner.isResult ? { ...inner, path: [...inner.path, ...path], isResult, isCheck } : inner);
      }
    }
    return found;
  }

  #valuesOfOid(oid: string, done: Map<string, ReadonlyMap<string, Composed>>): ReadonlyMap<string, Composed> {
    const before = done.get(oid);
    if (before) return before;
    // A function that calls itself adds nothing by it.
    done.set(oid, new Map());
    const direct = this.#direct.get(oid);
    const values = direct ? this.#valuesOf([direct], done) : new Map<string, Composed>();
    done.set(oid, values);
    return values;
  }

  async #load(oids: readonly string[]): Promise<void> {
    const missing = oids.filter((oid) => !this.#direct.has(oid));
    if (missing.length === 0) return;
    const routines = await this.#client.query<RoutineRow>(routinesByOid, [missing]);
    for (const routine of routines.rows) this.#direct.set(routine.oid, this.#ofRoutine(routine));
    const views = await this.#client.query<{ oid: string; tree: string }>(viewsByOid, [missing]);
    for (const { oid, tree } of views.rows) this.#direct.set(oid, directOfTree(tree));
    for (const oid of missing) if (!this.#direct.has(oid)) this.#direct.set(oid, nothing);
  }

  #ofRoutine(routine: RoutineRow): Direct {
    const { name, count, defaults, builtIn } = routine;
    if (builtIn) {
      const session = dependsOnSession(name, count) ? [`${name}()`] : [];
      return { ...nothing, session, tellsTime: clock.test(name) || (name === 'age' && count === 1) };
    }
    const body = this.#ofBody(routine);
    if (defaults === null) return body;
    const ofDefaults = directOfTree(defaults);
    return {
      ...body,
      settings: [...body.settings, ...ofDefaults.settings],
      session: [...body.session, ...ofDefaults.session],
      uses: [...body.uses, ...ofDefaults.uses],
      trees: [...(body.trees ?? []), defaults],
      values: [...body.values, ...ofDefaults.values],
    };
  }

  #ofBody(routine: RoutineRow): Direct {
    const { schema, name, language, immutable, extension, source, body, path, parts } = routine;
    const full = `${schema}.${name}`;
    if (parts.length > 0) return { ...nothing, uses: parts };
    if (body !== null) return directOfTree(body);
    if (language !== 'sql' && language !== 'plpgsql') {
      const isTrusted = extension && immutable && language === 'c';
      return isTrusted ? nothing : { ...nothing, opaque: [full, `is written in ${language}`] };
    }
    const reads = readSource(source);
    const builtIn = reads.calls.filter(
      ({ schema: of, name: called, count: given }) =>
        (of === undefined || of === 'pg_catalog') && dependsOnSession(called, given),
    );
    const unknown = reads.sources.find((one) => this.#names.find('relation', one, path).length === 0);
    const reason = reads.isDynamic
      ? 'runs SQL that it puts together'
      : unknown && `selects from ${unknown.name}, which is no table or view of the database`;
    const values = readSourceValues(source, (call) => this.#names.find('function', call, path));
    // A setting that is read in another way, such as SHOW.
    const wholly = reads.settings.flatMap((setting) =>
      setting === undefined || values.some((read) => read.setting === setting)
        ? []
        : [{ setting, path: [], isResult: false, isCheck: false }],
    );
    return {
      settings: reads.settings,
      session: [...reads.keywords, ...builtIn.map(({ name: called }) => `${called}()`)],
      tellsTime: reads.tellsTime || readsCurrentTime(source),
      text: routine,
      ...(reason !== undefined && { opaque: [full, reason] as const }),
      uses: [
        ...reads.calls.flatMap((call) => this.#names.find('function', call, path)),
        ...reads.names.flatMap((one) => this.#names.find('relation', one, path)),
      ],
      values: [...values, ...wholly],
    };
  }
}

/** Objects below are Postgres' own. */
const firstOfUsers = 16384;

/** Settings that say who the session is, and that set_config does not change. */
const unsettable = new Set(['is_superuser', 'session_authorization']);

const nothing: Direct = { settings: [], session: [], uses: [], values: [] };

type Composed = Required<Pick<ValueRead, 'path' | 'isResult' | 'isCheck'>> & { readonly setting: string };

/**
 * The settings request.jwt.claim.* that are read where the same claim of request.jwt.claims is not. A server that sets
 * the claims leaves these unset, so that only coalesce() of both falls back on what is given.
 */
function supersededAlone({ settings, values }: Direct): string[] {
  const alternatives = values.filter(({ isAlternative }) => isAlternative);
  const given = alternatives.filter(({ setting }) => setting === 'request.jwt.claims').map(({ path }) => path);
  return settings.flatMap((name) => {
    const [, claim] = /^request\.jwt\.claim(?:\.(.*))?$/.exec(name ?? '') ?? [];
    if (name === undefined || !/^request\.jwt\.claim(\.|$)/.test(name)) return [];
    const isAlone = values.some(({ setting, isAlternative }) => setting === name && !isAlternative);
    return !isAlone && given.some((path) => (claim === undefined ? path.length === 0 : path.join('.') === claim))
      ? []
      : [name];
  });
}

function directOfTree(tree: string): Direct {
  const { functions, relations, settings, keywords, tellsTime } = readTree(tree);
  const values = readValues(parseNodeTree(tree));
  return { settings, session: keywords, uses: [...functions, ...relations], tellsTime, values, trees: [tree] };
}
