import type { Column } from './columns.ts';

/**
 * Returns the statements for a search over the column `search` of a table: `searchTags(query:)` in the API. docs/dba.md,
 * "Search in a new table", explains the function.
 */
export function searchSql(name: string, columns: readonly Column[]): string[] {
  const table = `app_public.${name}`;
  const texts = columns.filter(({ isSearchable }) => isSearchable).map((column) => column.name);
  return [
    `comment on column ${table}.search is '@behavior -*';`,
    `create function app_public.search_${name}(query text) returns setof ${table}
  language plpgsql stable strict rows 20
  set search_path = ''
  as $$
-- A column may have the name of a variable.
#variable_conflict use_variable
declare
  wanted tsquery;
begin
  if char_length(query) > 200 then
    -- HR400: the message goes to the client, as BAD_USER_INPUT.
    raise exception 'query must have at most 200 characters' using errcode = 'HR400', column = 'query';
  end if;
  wanted := app_search.beginnings(query);
  for attempt in 1..2 loop
    exit when wanted is null;
    -- Ranked with \`|\`: with \`&\`, ts_rank() takes seconds for one long text.
    return query
      select t.*
      from (
        select id from (select id, search from ${table} order by created_at desc, id desc limit 10000) newest
        where search @@ wanted
      ) found
      join ${table} t on t.id = found.id
      order by ts_rank(t.search, replace(wanted::text, ' & ', ' | ')::tsquery) desc, t.created_at desc, t.id;
    exit when found;
    wanted := app_search.resembling(query, 'select search from ${table} order by created_at desc, id desc limit 5000');
  end loop;
end
$$;`,
    `comment on function app_public.search_${name}(text) is 'Rows with every word of \`query\` in ${texts.join(', ')}, best first.';`,
    `grant execute on function app_public.search_${name}(text) to hedgerow_tenant;`,
  ];
}
