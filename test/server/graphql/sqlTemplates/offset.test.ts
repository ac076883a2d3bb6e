import { skipBeforeComputing } from '../../../../server/graphql/sqlTemplates/offset.ts';

const page = (
  rest: string,
  columns = `__todos__."id" as "0",\nto_char(__todos__."created_at", '") from (''"') as "1"`,
) => `select\n${columns}\nfrom "app_public"."todos" as __todos__${rest};`;

test('rows are skipped in a select of those columns that are used, and the page is in the same order', () => {
  const where = `\nwhere\n(exists(select 1\nfrom "app_public"."lists" as __lists__\norder by 1)) and (__todos__."title" = $1)`;
  const order = '\norder by __todos__."priority" desc, __todos__."id" asc';
  expect(skipBeforeComputing(page(`${where}${order}\nlimit 21\noffset 900`))).toBe(
    `select\n__todos__."id" as "0",\nto_char(__todos__."created_at", '") from (''"') as "1"
from (select "id", "created_at", "priority" from "app_public"."todos" as __todos__${where}${order}\nlimit 21\noffset 900) as __todos__${order};`,
  );
});

test('a computed column is evaluated only for the rows of the page', () => {
  const columns = `array(select array[\n__todos_2."id"]::text[]\nfrom "app_public"."todos" as __todos_2
where (__todos__."parent ""id""" = __todos_2."id")\norder by 1\nlimit 3\noffset 1)::text as "0"`;
  expect(skipBeforeComputing(page('\norder by __todos__."id" asc\noffset 2', columns))).toContain(
    `from (select "parent ""id""", "id" from "app_public"."todos" as __todos__\norder by __todos__."id" asc\noffset 2)`,
  );
});

test('at a large offset, rows of a table are selected by key; a function is called once', () => {
  const far = '\norder by __todos__."id" asc\nlimit 20\noffset 200';
  expect(skipBeforeComputing(page(far, '__todos__."title" as "0"'), ['user_id', 'i"d'])).toBe(
    `select\n__todos__."title" as "0"
from (select "user_id", "i""d" from "app_public"."todos" as __todos__${far}) as page
join "app_public"."todos" as __todos__ using ("user_id","i""d")\norder by __todos__."id" asc;`,
  );
  const ofFunction = page(far, '__todos__."title" as "0"').replace('"todos"', '"found"($1)');
  expect(skipBeforeComputing(ofFunction, ['id'])).toContain('from (select "title", "id" from "app_public"."found"($1)');
});

const ordered = '\norder by __todos__."id" asc';
test.each([
  ['there is nothing to skip', page(`${ordered}\nlimit 20`)],
  ['there is no order', page('\nlimit 20\noffset 1')],
  ['rows are joined', page(`\nleft outer join "app_public"."lists" as __lists__\non (true)${ordered}\noffset 1`)],
  ['rows are grouped', page(`\nwhere (true)\ngroup by 1${ordered}\noffset 1`)],
  ['a function is given the whole row', page(`${ordered}\noffset 1`, '"app_public"."title_of"(__todos__) as "0"')],
  ['no column is asked for', page('\norder by 1\noffset 1', '(count(*))::text as "0"')],
])('PostGraphile’s own text stays where %s', (_why, text) => {
  expect(skipBeforeComputing(text)).toBe(text);
});
