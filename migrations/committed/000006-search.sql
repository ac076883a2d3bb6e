--! Previous: sha1:546acfae5748788526e57a2be609d651fe1ced35
--! Hash: sha1:6c60d1d3d32f457d53233ff65c503ba34bb5e65d
--! Message: search

-- Search --------------------------------------------------------------------------------------------------------------

drop function if exists app_public.search_todos(text);
alter table app_public.todos drop column if exists search;
drop schema if exists app_search cascade;

-- What search is made of. Not in app_public, so that it is no part of the API; not in app_private, which tenants may
-- not enter.
create schema app_search;
grant usage on schema app_search to hedgerow_tenant;

-- Both are trusted: the database's owner may create them.
create extension unaccent with schema app_search;
create extension fuzzystrmatch with schema app_search;

-- Of no language: each word as it is, without its case and accents.
create text search configuration app_search.plain (copy = pg_catalog.simple);
alter text search configuration app_search.plain
  alter mapping for word, numword, hword, hword_part, numhword with app_search.unaccent, pg_catalog.simple;

-- The words of a text. Punctuation parts them: the parser would take `milk/bread` for a path, and `<milk>` for a tag.
create function app_search.words(content text) returns tsvector
  language sql immutable strict parallel safe
  begin atomic
    select to_tsvector('app_search.plain', translate(content, './@:_+-<>&#', '           '));
  end;

-- Every word of a text as the beginning of a word. Operators of tsquery in the text are punctuation.
create function app_search.beginnings(content text) returns tsquery
  language sql immutable strict parallel safe
  begin atomic
    select string_agg(quote_literal(word) || ':*', ' & ')::tsquery
    from unnest(tsvector_to_array(app_search.words(content))) word;
  end;

-- As beginnings(), but for a word that begins none of the documents' words, those that it is a slip of the pen for; null
-- where there are none. `documents` is SQL that selects tsvectors, as for ts_stat(), and never a client's.
-- A slip is one edit in words of three to five characters, two in longer ones; two neighbours that changed places are
-- one edit. Levenshtein counts two for them, but they leave no letter over.
create function app_search.resembling(content text, documents text) returns tsquery
  language sql stable strict
  begin atomic
    with vocabulary as materialized (select word as known from ts_stat(documents))
    select case when bool_and(alternatives is not null) then string_agg('(' || alternatives || ')', ' & ')::tsquery end
    from unnest(tsvector_to_array(app_search.words(content))) word,
      lateral (select case when char_length(word) < 3 then 0 when char_length(word) < 6 then 1 else 2 end as edits) allowed
    left join lateral (
      select case
        when exists (select from vocabulary where starts_with(known, word)) then quote_literal(word) || ':*'
        else (
          select string_agg(quote_literal(known), ' | ')
          from vocabulary,
            -- Levenshtein refuses more than 255 characters.
            lateral (
              select app_search.levenshtein_less_equal(left(word, 255), left(known, 255), edits + 1) as distance
            ) measured
          where edits > 0 and (distance <= edits or distance = edits + 1 and (
            select count(*) < edits
            from (select string_to_table(word, null) except all select string_to_table(known, null)) missing
          ))
        )
      end as alternatives
    ) found on true;
  end;

grant execute on function app_search.words(text), app_search.beginnings(text), app_search.resembling(text, text)
  to hedgerow_tenant;

-- Words of the title count for more. It has no index of its own: `@@` is not leakproof, so that Postgres asks it only of
-- rows that the policy has let through, and those are found by the keys, which lead with user_id.
alter table app_public.todos add column search tsvector generated always as (
  setweight(app_search.words(title), 'A') || setweight(app_search.words(coalesce(description, '')), 'B')
) stored;

comment on column app_public.todos.search is E'@behavior -*\nThe words of title and description, kept by the database.';

create function app_public.search_todos(query text) returns setof app_public.todos
  language plpgsql stable strict rows 20
  set search_path = ''
  as $$
declare
  wanted tsquery;
begin
  if char_length(query) > 200 then
    raise exception 'query must have at most 200 characters' using errcode = 'HR400', column = 'query';
  end if;
  wanted := app_search.beginnings(query);
  for attempt in 1..2 loop
    return query
      select t.* from app_public.todos t where t.search @@ wanted
      -- What is a word of its own comes before what is the beginning of one.
      order by
        ts_rank(t.search, wanted) + ts_rank(t.search, replace(wanted::text, ':*', '')::tsquery) desc,
        t.created_at desc, t.id;
    exit when found;
    wanted := app_search.resembling(query, 'select search from app_public.todos');
  end loop;
end
$$;

comment on function app_public.search_todos(text) is
  'Todos with every word of `query` in title or description, best first, then newest. A word may be unfinished; where '
  'nothing matches, it may be misspelt.';

grant execute on function app_public.search_todos(text) to hedgerow_tenant;
