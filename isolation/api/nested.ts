import type { GraphQLObjectType } from 'postgraphile/graphql';
import { carryOut } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { entrances } from './rows.ts';
import { relations, select } from './schema.ts';

/** Rows of a page, where pages multiply. */
const few = 5;

/** Reads everything as B and as who has nothing: by each field that lists rows, and from them to others and back. */
export async function attackNested(world: AttackContext, only: (type: string) => boolean): Promise<void> {
  const { api, b, empty } = world;
  for (const { field, type } of entrances(api).filter((entrance) => only(entrance.type.name))) {
    const ask = async (attack: string, inner?: string) => {
      const pages = field.args.some(({ name }) => name === 'first') ? `(first: ${inner ? few : 100})` : '';
      const question = { document: `{ ${field.name}${pages} ${select(field.type, api.rows, inner)} }` };
      for (const who of [b, empty]) {
        await carryOut(world, { type: type.name, attack, operation: 'select', who, question, sent: [] });
      }
    };
    await ask('scan');
    for (const path of paths(type, world)) await ask('nested', path);
  }
}

/** From rows of `type` two steps on, each way there is. */
function paths(type: GraphQLObjectType, { api }: AttackContext): string[] {
  return relations(type, api.rows).flatMap((first) => {
    const further = relations(first.to, api.rows);
    const step = (inner?: string) => {
      const size = first.field.args.some(({ name }) => name === 'first') ? `(first: ${few})` : '';
      return `${first.field.name}${size} ${select(first.field.type, api.rows, inner)}`;
    };
    const two = further.map(({ field }) => {
      const size = field.args.some(({ name }) => name === 'first') ? `(first: ${few})` : '';
      return step(`${field.name}${size} ${select(field.type, api.rows)}`);
    });
    return two.length > 0 ? two : [step()];
  });
}
