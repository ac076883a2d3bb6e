import { bakedInputRuntime, type GrafastInputFieldConfigMap, type Setter } from 'postgraphile/grafast';
import type { GraphQLInputType } from 'postgraphile/graphql';
import { Statements, type TableResource, type Update, type Values } from './statements.ts';

type Build = GraphileBuild.Build;

/** A table of the API, with its names in the API and the actions that tenants may take. */
export class Table {
  readonly resource: TableResource;
  readonly statements: Statements;
  /** The columns that identify a row: the primary key without the tenant's column. */
  readonly keys: readonly string[];
  /** The field of the rows, such as `todos`. */
  readonly rows: string;
  /** The field of the first key column, such as `rowId`. */
  readonly keyName: string;
  /** The plural of `keyName`, such as `rowIds`. */
  readonly keyNames: string;
  /** The field of a patch, as in the mutation of one row. */
  readonly patchName: string;
  readonly #build: Build;

  constructor(build: Build, resource: TableResource, keys: readonly string[]) {
    const { inflection } = build;
    const row = inflection.tableFieldName(resource);
    this.resource = resource;
    this.statements = new Statements(resource, keys);
    this.keys = keys;
    this.rows = inflection.distinctPluralize(row);
    this.keyName = inflection.attribute({ attributeName: keys[0] as string, codec: resource.codec });
    this.keyNames = inflection.pluralize(this.keyName);
    this.patchName = inflection.patchField(row);
    this.#build = build;
  }

  may(what: 'insert' | 'update' | 'delete'): boolean {
    return this.#build.behavior.pgResourceMatches(this.resource, `resource:${what}`) === true;
  }

  mayUpdate(column: string): boolean {
    const { codec } = this.resource;
    return (
      this.may('update') &&
      codec.attributes[column] !== undefined &&
      this.#build.behavior.pgCodecAttributeMatches([codec, column], 'attribute:update') === true
    );
  }

  /** Names a mutation. `todo_tags` with `create` is `createTodoTags`. */
  named(verb: string): string {
    return this.#build.inflection.camelCase(`${verb}-${this.rows}`);
  }

  /** Returns the same text for equal keys. The letters of a UUID may be upper or lower case. */
  keyText(key: unknown): string {
    const isUuid = this.resource.codec.attributes[this.keys[0] as string]?.codec.name === 'uuid';
    return isUuid ? String(key).toLowerCase() : String(key);
  }

  /** The input type of one item of `updateTodos`. Its values become an `Update`. */
  get updateTypeName(): string {
    return `${this.#build.inflection.upperCamelCase(this.named('update'))}Item`;
  }

  updateFields(): GrafastInputFieldConfigMap<Setter<Update>> {
    const { GraphQLNonNull } = this.#build.graphql;
    return {
      [this.keyName]: {
        type: new GraphQLNonNull(this.#type('key')),
        apply: (update, key) => update.set('key', key),
      },
      [this.patchName]: {
        type: new GraphQLNonNull(this.#type('patch')),
        apply: (update, patch, { schema, field }) =>
          update.set('patch', bakedInputRuntime(schema, field.type, patch) as Values),
      },
    };
  }

  /** Returns the list type of the table's inserts, patches, keys or updates. */
  listOf(items: 'input' | 'patch' | 'key' | 'update'): GraphQLInputType {
    const { GraphQLList, GraphQLNonNull } = this.#build.graphql;
    return new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(this.#type(items))));
  }

  #type(items: 'input' | 'patch' | 'key' | 'update'): GraphQLInputType {
    const { codec } = this.resource;
    if (items === 'update') return this.#build.getInputTypeByName(this.updateTypeName);
    const type =
      items === 'key'
        ? this.#build.getGraphQLTypeByPgCodec(codec.attributes[this.keys[0] as string]?.codec as never, 'input')
        : this.#build.getGraphQLTypeByPgCodec(codec, items);
    if (!type) throw new Error(`${codec.name} has no type for its ${items}`);
    return type as GraphQLInputType;
  }
}

/** Lists the tables with a primary key. */
export function tablesOf(build: Build): Table[] {
  return Object.values(build.pgResources).flatMap((each) => {
    const resource = each as TableResource;
    const keys = resource.uniques.find(({ isPrimary }) => isPrimary)?.attributes;
    if (resource.parameters || !resource.codec.attributes || resource.codec.isAnonymous || !keys) return [];
    return [new Table(build, resource, keys)];
  });
}
