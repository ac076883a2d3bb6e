import { isEnumCodec, type PgCodec } from 'postgraphile/@dataplan/pg';

/** An object of the database that the API has no name for. */
export class UnservableNameError extends Error {
  /** As SQL names it, such as `app_public.state`. */
  readonly object: string;

  constructor(object: string, message: string) {
    super(message);
    this.object = object;
  }
}

/** Names that GraphQL keeps for its literals. */
const literals = new Set(['true', 'false', 'null']);

/**
 * Makes a name of GraphQL from any text: each character that a name cannot have becomes `_`, and a leading digit gets one
 * before it. Two leading underscores belong to introspection.
 */
function toName(text: string): string {
  const name = text.replace(/[^_0-9A-Za-z]/g, '_').replace(/^(?=\d)/, '_');
  return literals.has(name) ? `_${name}` : name.replace(/^__+/, '_');
}

/** Gives everyday labels of enums, and columns that begin with a digit, a name in the API. */
export const namesPlugin: GraphileConfig.Plugin = {
  name: 'NamesPlugin',
  version: '1.0.0',
  inflection: {
    replace: {
      enumValue: (previous, _options, label, codec) => toName(previous?.(label, codec) ?? label),
      orderByAttributeEnum: (previous, _options, details) => toName(previous?.(details) ?? ''),
      computedAttributeOrder: (previous, _options, details) => toName(previous?.(details) ?? ''),
    },
  },
  schema: {
    hooks: {
      init: {
        before: ['PgCodecs'],
        callback(_, build) {
          for (const codec of Object.values(build.pgCodecs)) checkLabels(codec, build.inflection);
          return _;
        },
      },
    },
  },
};

/** @throws UnservableNameError where a label has no name of its own. */
function checkLabels(codec: PgCodec, inflection: GraphileBuild.Inflection): void {
  if (!isEnumCodec(codec)) return;
  const { schemaName, name: typeName } = codec.extensions?.pg ?? { schemaName: '', name: codec.name };
  const object = `${schemaName}.${typeName}`;
  const labels = new Map<string, string>();
  for (const { value } of codec.values) {
    const name = inflection.enumValue(value, codec);
    const other = labels.get(name);
    if (!/[0-9A-Za-z]/.test(name)) {
      const message = `The label '${value}' of the enum ${object} has no letter or digit for a name in the API. Rename it.`;
      throw new UnservableNameError(object, message);
    }
    if (other !== undefined) {
      const message = `The labels '${other}' and '${value}' of the enum ${object} would both be ${name} in the API. Rename one of them.`;
      throw new UnservableNameError(object, message);
    }
    labels.set(name, value);
  }
}
