--! Previous: sha1:f024ece40ebbff8b25e04be28cd71e9631010fde
--! Hash: sha1:7e62f8587909ebcd23635065e2f708c73ae9aa43
--! Message: bound the work of a search

-- Bound the work of one search: a tenant chooses both the todos and the query. See docs/adr/0040-bounded-search.md.

--! Included functions/app_search.beginnings.sql
-- A tsquery for documents that have every word of a text, each as a prefix. Only the first eight different words count,
-- so that a client cannot raise the work for each document. Operators of tsquery in the text are punctuation.
create or replace function app_search.beginnings(content text) returns tsquery
  language sql immutable strict parallel safe
  begin atomic
    select string_agg(quote_literal(lexeme) || ':*', ' & ')::tsquery
    from (select lexeme from unnest(app_search.words(content)) order by positions[1], lexeme limit 8) first_words;
  end;

grant execute on function app_search.beginnings(text) to hedgerow_tenant;
--! EndIncluded functions/app_search.beginnings.sql
--! Included functions/app_search.resembling.sql
-- As beginnings(), where a misspelt word also matches the known words that it resembles; null if there are none.
--
-- `documents` is SQL that selects one column of tsvectors, most important first. It is executed as it is, so it must
-- never contain a client's text. Known words are those of the first 5,000 documents, until 100,000 words have been read;
-- of them the 10,000 most frequent ones. A query word is misspelt if no known word begins with it. It may differ by one
-- edit if it has three to five characters, by two if it has up to 32, and not at all otherwise. Swapping two neighbors
-- is one edit; Levenshtein counts two, but then no letter is missing.
--
-- Every step is bounded, because a tenant chooses both the documents and the query. For each query word the 200 most
-- frequent candidates are searched for swapped letters, and the 10 closest words are used.
create or replace function app_search.resembling(content text, documents text) returns tsquery
  language plpgsql stable strict
  set search_path = ''
  as $$
declare
  known_words text[];
  wanted tsquery;
begin
  -- Three times as fast as ts_stat().
  execute
    'select array_agg(word)
     from (
       select word
       from (
         select document, sum(length(document)) over (rows unbounded preceding) as words_read
         from (select * from (' || documents || ') all_documents limit 5000) first_documents (document)
       ) counted, unnest(tsvector_to_array(document)) word
       where words_read <= 100000
       group by word
       order by count(*) desc
       limit 10000
     ) most_frequent'
    into known_words;

  with vocabulary as materialized (
    select word as known, char_length(word) as letters, place
    from unnest(known_words) with ordinality vocabulary (word, place)
  ),
  query_words as materialized (
    select
      lexeme as word, char_length(lexeme) as letters,
      case when char_length(lexeme) < 3 then 0 when char_length(lexeme) < 6 then 1
        when char_length(lexeme) <= 32 then 2 else 0 end as edits
    from (select lexeme from unnest(app_search.words(content)) order by positions[1], lexeme limit 8) first_words
  )
  select case when bool_or(replacements is not null) then
    string_agg('(' || concat_ws(' | ', quote_literal(word) || ':*', replacements) || ')', ' & ')::tsquery
  end
  into wanted
  from query_words
  left join lateral (
    with measured as materialized (
      select known, place, app_search.levenshtein_less_equal(word, known, edits + 1) as distance
      from (
        select known, place from vocabulary
        where vocabulary.letters between query_words.letters - edits and query_words.letters + edits
        -- Levenshtein refuses words of more than 255 characters: none may reach it.
        offset 0
      ) compared
      where edits > 0 and not exists (select from vocabulary where starts_with(known, word))
    )
    select string_agg(quote_literal(known), ' | ') as replacements
    from (
      select known from (
        select known, place, distance from measured where distance <= edits
        union all
        select known, place, distance
        from (select known, place, distance from measured where distance = edits + 1 order by place limit 200) near
        where (
          select count(*) < edits
          from (select string_to_table(word, null) except all select string_to_table(known, null)) missing
        )
      ) similar_words
      order by distance, place limit 10
    ) closest
  ) found on true;
  return wanted;
end
$$;

grant execute on function app_search.resembling(text, text) to hedgerow_tenant;
--! EndIncluded functions/app_search.resembling.sql
--! Included functions/app_public.search_todos.sql
-- The limits keep every search short, whatever the tenant has stored and whatever the query is; see docs/adr/ for the
-- figures. Searched are the newest 100,000 todos, as far as their words fit into 32 MiB; ranked are the newest 10,000
-- matches.
create or replace function app_public.search_todos(query text) returns setof app_public.todos
  language plpgsql stable strict rows 20
  set search_path = ''
  as $$
declare
  wanted tsquery;
  some_word tsquery;
  some_whole_word tsquery;
begin
  if char_length(query) > 200 then
    raise exception 'query must have at most 200 characters' using errcode = 'HR400', column = 'query';
  end if;
  wanted := app_search.beginnings(query);
  for attempt in 1..2 loop
    exit when wanted is null;
    -- ts_rank() compares every pair of positions where words are joined by `&`, which takes seconds for one long text.
    -- With `|` its time is proportional to the text.
    some_word := replace(wanted::text, ' & ', ' | ')::tsquery;
    some_whole_word := replace(some_word::text, ':*', '')::tsquery;
    return query
      select t.*
      from (
        select id, ts_rank(search, some_word) + ts_rank(search, some_whole_word) as rank
        from (
          select id, search from (
            select id, search,
              sum(pg_column_size(search)) over (order by created_at desc, id desc rows unbounded preceding) as bytes
            from (
              select id, created_at, search from app_public.todos order by created_at desc, id desc limit 100000
            ) newest
          ) measured
          where bytes <= 32 * 1024 * 1024 and search @@ wanted
          limit 10000
        ) matching
      ) found
      join app_public.todos t on t.id = found.id
      order by found.rank desc, t.created_at desc, t.id;
    exit when found;
    wanted := app_search.resembling(
      query, 'select search from app_public.todos order by created_at desc, id desc limit 5000'
    );
  end loop;
end
$$;

comment on function app_public.search_todos(text) is
  'Todos with every word of `query` in title or description, best first, then newest. A word may be unfinished; where '
  'nothing matches, it may be misspelt. The first eight different words count. Of many todos the newest are searched.';

grant execute on function app_public.search_todos(text) to hedgerow_tenant;
--! EndIncluded functions/app_public.search_todos.sql
