import type { CatalogRule } from '../rule.ts';
import { tenantRoles, tenantTables } from '../tenantTables.ts';

export const rule: CatalogRule = {
  level: 'warning',
  title: 'several permissive policies for one command widen each other',
  query: `
    select object, string_agg(format('%s is allowed by any of %s', command, policies), '; ' order by command)
      || ': merge them into one policy per command' as detail
    from (
      select t.object, command.name as command, string_agg(quote_ident(p.polname), ', ' order by p.polname) as policies
      from ${tenantTables} t
      join pg_policy p on p.polrelid = t.oid
      join (values ('select', 'r'), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) command (name, letter)
        on p.polcmd in (command.letter::"char", '*')
      where p.polpermissive and exists (select from ${tenantRoles} r where r.oid = any (p.polroles))
      group by t.object, command.name
      having count(*) > 1
    ) several
    group by object`,
};
