import { ours } from '../../postgres/ownObjects.ts';

// Queries of describeSchema() for aggregates, operators, casts and extensions.

/** SQL for an optional support function of an aggregate. */
const part = (name: string, column: string) => `', ${name} ' || nullif(a.${column}::oid, 0)::regprocedure`;

/** SQL condition for extensions that hosts and operators install to monitor the server. They are not part of the schema. */
const monitoringExtension = `(e.extname in ('plpgsql', 'pg_stat_statements', 'pg_buffercache', 'pgstattuple') or e.extname like 'neon%')`;

/** The queries, in the format of describeSchema(). */
export const operatorQueries: readonly string[] = [
  `select format('function %s', o.oid::regprocedure), 0, format('aggregate %s returns %s: %s%s', o.oid::regprocedure,
     pg_get_function_result(o.oid),
     concat('function ', a.aggtransfn::oid::regprocedure, ', state ', format_type(a.aggtranstype, null), ', initial ' || quote_literal(a.agginitval),
       ${part('final', 'aggfinalfn')}, ${part('combine', 'aggcombinefn')}, ${part('serial', 'aggserialfn')},
       ${part('deserial', 'aggdeserialfn')}, ${part('moving', 'aggmtransfn')}, ${part('inverse', 'aggminvtransfn')},
       ', sort ' || nullif(a.aggsortop, 0)::regoperator,
       case a.aggkind when 'o' then ', ordered set' when 'h' then ', hypothetical set' end),
     case o.proparallel when 's' then ', parallel safe' when 'r' then ', parallel restricted' end)
   from pg_proc o join pg_namespace n on n.oid = o.pronamespace join pg_aggregate a on a.aggfnoid = o.oid where ${ours}`,

  `select format('operator %s', o.oid::regoperator), 0, format('operator %s returns %s: %s', o.oid::regoperator,
     format_type(o.oprresult, null), concat('function ', o.oprcode::oid::regprocedure,
       ', commutator ' || nullif(o.oprcom, 0)::regoperator, ', negator ' || nullif(o.oprnegate, 0)::regoperator,
       ', restrict ' || nullif(o.oprrest::oid, 0)::regproc, ', join ' || nullif(o.oprjoin::oid, 0)::regproc,
       case when o.oprcanhash then ', hashes' end, case when o.oprcanmerge then ', merges' end))
   from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where ${ours} and o.oprcode <> 0`,

  `select format('operator class %I.%I using %I', n.nspname, o.opcname, m.amname), 0,
     format('operator class %I.%I using %I: for %s%s%s%s', n.nspname, o.opcname, m.amname, format_type(o.opcintype, null),
       case when o.opcdefault then ', default' end,
       (select string_agg(format(', operator %s %s', x.amopstrategy, x.amopopr::regoperator), '' order by x.amopstrategy, x.amopopr::regoperator::text)
        from pg_amop x where x.amopfamily = o.opcfamily),
       (select string_agg(format(', function %s %s', x.amprocnum, x.amproc::oid::regprocedure), '' order by x.amprocnum, x.amproc::oid::regprocedure::text)
        from pg_amproc x where x.amprocfamily = o.opcfamily))
   from pg_opclass o join pg_namespace n on n.oid = o.opcnamespace join pg_am m on m.oid = o.opcmethod where ${ours}`,

  `select distinct format('cast (%s as %s)', o.castsource::regtype, o.casttarget::regtype), 0,
     format('cast (%s as %s): %s%s', o.castsource::regtype, o.casttarget::regtype,
       case o.castcontext when 'i' then 'implicit' when 'a' then 'in assignments' else 'explicit' end,
       case o.castmethod when 'f' then format(', function %s', o.castfunc::regprocedure) when 'i' then ', by text' else ', binary' end)
   from pg_cast o join pg_type t on t.oid in (o.castsource, o.casttarget) join pg_namespace n on n.oid = t.typnamespace where ${ours}`,

  `select format('extension %I', e.extname), 0, format('extension %I in schema %I', e.extname, n.nspname)
   from pg_extension e join pg_namespace n on n.oid = e.extnamespace where not ${monitoringExtension}`,
];
