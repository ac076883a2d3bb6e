import type pg from 'pg';
import { parseNodeTree } from '../postgres/nodeTree.ts';
import { readValues, type ValueRead } from './claimReads.ts';
import { readSourceValues } from './claimSource.ts';
import { NameIndex, type QualifiedName } from './nameIndex.ts';
import { clock, dependsOnSession } from './sessionFunctions.ts';
import { readSource } from './sourceReads.ts';
import { decidesByTime } from './timeReads.ts';
import { readsCurrentTime, sourceDecidesByTime } from './timeSource.ts';
import { readTree } from './treeReads.ts';

/** References of an expression, a view or a function, including those of everything that it calls or reads. */
export interface References {
  /** Settings that it reads. `undefined` stands for a computed name. */
  readonly settings: ReadonlySet<string | undefined>;
  /** Keywords and functions with a value that differs between sessions, such as session_user and inet_client_addr(). */
  readonly session: ReadonlySet<string>;
  /** Functions that the catalog does not describe well enough to follow, with the reason. */
  readonly opaque: ReadonlyMap<string, string>;
  /** The oids of all functions and relations. */
  readonly oids: ReadonlySet<string>;
  /** Whether it reads the clock. */
  readonly tellsTime: boolean;
  /** Whether it reads a user-defined table or view. */
  readonly readsRows: boolean;
  /** The parts of the values of settings that it reads. */
  readonly values: readonly SettingValueRead[];
  /** Settings of PostgREST before version 9 that it reads without the claim that replaces them. */
  readonly superseded: ReadonlySet<string>;
}

/** A part of the JSON value of a setting, given by its keys. No keys stand for the whole value. */
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
  /** Its node trees or its text, in which decidesByTime() searches for conditions on the time alone. */
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
  /** The defaults of its arguments, which a call without these arguments evaluates. */
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

/**
 * Follows references through the catalog. It reads the node trees that Postgres stores, and the text of functions that
 * have none.
 *
 * Lifetime: create one reader per transaction with open(), which loads the names of all relations and functions. The
 * caches only grow: `#direct` holds the direct references of each visited oid, `#clocks` and `#byTime` the answers of
 * decidesByTime(). The reader does not see objects that change after it has read them.
 */
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
   * Collects the references of expressions, functions and views.
   *
   * @param trees pg_node_trees as text.
   * @param oids the oids of functions and views.
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
    for (let pending = roots; pending.length > 0; ) {
      const next = new Set<string>();
      for (const direct of pending) {
        for (const name of direct.settings)
          if (name !== undefined && unsettable.has(name)) session.add(name);
          else settings.add(name);
        for (const name of direct.session) session.add(name);
        for (const name of supersededSettings(direct)) superseded.add(name);
        tellsTime ||= direct.tellsTime ?? false;
        if (direct.opaque) opaque.set(...direct.opaque);
        for (const oid of direct.uses) if (!oids.has(oid)) next.add(oid);
      }
      for (const oid of next) oids.add(oid);
      await this.#load([...next]);
      pending = [...next].flatMap((oid) => this.#direct.get(oid) ?? []);
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
   * Whether a condition in an expression, a view or a function, or in anything that they use, depends on the time but
   * on no value of a row. Such a condition is true or false for all rows at once.
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
    const knows = (of: 'isClock' | 'readsRows') => (call: QualifiedName) =>
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

  /** Collects the parts of settings that expressions read, directly or through functions at any depth. */
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
    // Stops at recursion: a recursive call adds no further values.
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
      ? 'runs SQL that it composes at run time'
      : unknown && `selects from ${unknown.name}, which is not a table or view of the database`;
    const values = readSourceValues(source, (call) => this.#names.find('function', call, path));
    // Settings that it reads in another way, such as with SHOW.
    const wholeValues = reads.settings.flatMap((setting) =>
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
      values: [...values, ...wholeValues],
    };
  }
}

/** The first oid of user-defined objects (FirstNormalObjectId). */
const firstOfUsers = 16384;

/** Settings that identify the session and that set_config() cannot change. */
const unsettable = new Set(['is_superuser', 'session_authorization']);

const nothing: Direct = { settings: [], session: [], uses: [], values: [] };

type Composed = Required<Pick<ValueRead, 'path' | 'isResult' | 'isCheck'>> & { readonly setting: string };

/**
 * Settings request.jwt.claim.* that are read without the same claim of request.jwt.claims as an alternative. A server
 * that sets request.jwt.claims does not set them, so only coalesce() over both finds the value.
 */
function supersededSettings({ settings, values }: Direct): string[] {
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
