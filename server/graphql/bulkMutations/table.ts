import { bakedInputRuntime, type GrafastInputFieldConfigMap, type Setter } from 'postgraphile/grafast';
import type { GraphQLInputType } from 'postgraphile/graphql';
import { Statements, type TableResource, type Update, type Values } from './statements.ts';

type Build = GraphileBuild.Build;

/** A table of the API: its names there, and what tenants may do to it. */
export class Table {
  readonly resource: TableResource;
  readonly statements: Statements;
  /** The columns that name a row: the primary key without the tenant's column. */
  readonly keys: readonly string[];
  /** Such as `todos`. */
  readonly rows: string;
  /** Such as `rowId` and `rowIds`: the first of the keys. */
  readonly keyName: string;
  readonly keyNames: string;
  /** `patch`, as in the mutation of one row. */
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

  /** `todo_tags` with `create` is `createTodoTags`. */
  named(verb: string): string {
    return this.#build.inflection.camelCase(`${verb}-${this.rows}`);
  }

  /** The same text for the same key: the letters of a UUID may be of either case. */
  keyText(key: unknown): string {
    const isUuid = this.resource.codec.attributes[this.keys[0] as string]?.codec.name === 'uuid';
    return isUuid ? String(key).toLowerCase() : String(key);
  }

  /** Name of the type of an item of `updateTodos`. What it is given becomes an `Update`. */
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

  /** The type of a list of the table's rows to insert, its patches, its keys, or its updates. */
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

/** The tables whose rows a primary key names. */
export function tablesOf(build: Build): Table[] {
  return Object.values(build.pgResources).flatMap((each) => {
    const resource = each as TableResource;
    const keys = resource.uniques.find(({ isPrimary }) => isPrimary)?.attributes;
    if (resource.parameters || !resource.codec.attributes || resource.codec.isAnonymous || !keys) return [];
    return [new Table(build, resource, keys)];
  });
}
