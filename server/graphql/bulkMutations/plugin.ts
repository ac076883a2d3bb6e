import {
  access,
  createObjectAndApplyChildren as baked,
  each,
  type ObjectStep,
  object,
  type Step,
} from 'postgraphile/grafast';
import type { GraphQLOutputType } from 'postgraphile/graphql';
import { type Keys, type Mutation, mutationsOf, type Selection } from './mutations.ts';
import { type Table, tablesOf } from './table.ts';

type Build = GraphileBuild.Build;
type Payload = ObjectStep<{ keys: Step<Keys>; clientMutationId: Step<string | null> }>;

/**
 * Adds mutations of up to 1,000 rows for every table that tenants may insert into, update or delete from. All rows
 * succeed or none does. Updates and deletes need a table whose key, besides the tenant's column, is one column.
 */
export const bulkMutationsPlugin: GraphileConfig.Plugin = {
  name: 'BulkMutationsPlugin',
  version: '1.0.0',
  schema: {
    hooks: {
      init(_, build) {
        for (const table of tablesOf(build)) {
          for (const mutation of mutationsOf(table)) registerTypes(build, table, mutation);
          if (table.may('update') && table.keys.length === 1) {
            const spec = () => ({ fields: () => table.updateFields(), extensions: { grafast: { baked } } });
            build.registerInputObjectType(table.updateTypeName, {}, spec, origin);
          }
        }
        return _;
      },
      GraphQLObjectType_fields(fields, build, { scope, fieldWithHooks }) {
        if (!scope.isRootMutation) return fields;
        const added = tablesOf(build)
          .flatMap(mutationsOf)
          .map((mutation) => [
            mutation.fieldName,
            fieldWithHooks({ fieldName: mutation.fieldName }, () => mutationField(build, mutation)),
          ]);
        return build.extend(fields, Object.fromEntries(added), origin);
      },
    },
  },
};

const origin = 'BulkMutationsPlugin';

function typeName({ inflection }: Build, { fieldName }: Mutation, suffix: 'Input' | 'Payload'): string {
  return `${inflection.upperCamelCase(fieldName)}${suffix}`;
}

/** Selections by payload. */
const selections = new WeakMap<Step, Selection>();

function mutationField(build: Build, mutation: Mutation) {
  const { GraphQLNonNull } = build.graphql;
  return {
    description: mutation.description,
    args: { input: { type: new GraphQLNonNull(build.getInputTypeByName(typeName(build, mutation, 'Input'))) } },
    type: build.getOutputTypeByName(typeName(build, mutation, 'Payload')),
    plan: (_$root: Step, args: { getRaw(path: readonly string[]): Step }) => {
      const selection: Selection = { rows: false };
      const $payload = object({
        keys: mutation.plan((name) => args.getRaw(['input', name]), selection),
        clientMutationId: args.getRaw(['input', 'clientMutationId']),
      });
      selections.set($payload, selection);
      return $payload;
    },
  };
}

function registerTypes(build: Build, table: Table, mutation: Mutation): void {
  const { GraphQLString } = build.graphql;
  build.registerInputObjectType(
    typeName(build, mutation, 'Input'),
    { isMutationInput: true },
    () => ({ fields: () => ({ clientMutationId: { type: GraphQLString }, ...mutation.inputFields() }) }),
    origin,
  );
  build.registerObjectType(
    typeName(build, mutation, 'Payload'),
    { isMutationPayload: true },
    () => ({
      fields: () => ({
        clientMutationId: { type: GraphQLString, plan: ($payload: Payload) => $payload.get('clientMutationId') },
        ...(mutation.answers === 'rows' ? rowsField(build, table) : keysField(build, table)),
      }),
    }),
    origin,
  );
}

/** The payload's field with the rows after the mutation, in the order of the input. */
function rowsField(build: Build, { resource, keys, rows, statements }: Table) {
  // Omit the field if tenants cannot read the key, as mutations of one row do.
  if (!statements.canReadKeys) return {};
  const { GraphQLList, GraphQLNonNull } = build.graphql;
  const type = build.getGraphQLTypeByPgCodec(resource.codec, 'output') as GraphQLOutputType;
  const plan = ($payload: Payload) => {
    const selection = selections.get($payload);
    if (!selection) throw new Error(`The payload with the rows of ${resource.name} belongs to another mutation.`);
    selection.rows = true;
    return each($payload.get('keys'), ($key) =>
      resource.get(Object.fromEntries(keys.map((key) => [key, access($key, key)]))),
    );
  };
  return { [rows]: { type: new GraphQLList(new GraphQLNonNull(type)), plan } };
}

function keysField(build: Build, { resource, keys, keyNames }: Table) {
  const { GraphQLList, GraphQLNonNull } = build.graphql;
  const [key] = keys as [string];
  const codec = resource.codec.attributes[key]?.codec;
  const type = build.getGraphQLTypeByPgCodec(codec as never, 'output') as GraphQLOutputType;
  const plan = ($payload: Payload) => each($payload.get('keys'), ($key) => access($key, key));
  const name = build.inflection.camelCase(`deleted-${keyNames}`);
  return { [name]: { type: new GraphQLList(new GraphQLNonNull(type)), plan } };
}
