import { isEnumCodec, type PgCodec } from 'postgraphile/@dataplan/pg';

/** A database object has a name that the API cannot represent. */
export class UnservableNameError extends Error {
  /** Its name in SQL, such as `app_public.state`. */
  readonly object: string;

  constructor(object: string, message: string) {
    super(message);
    this.object = object;
  }
}

/** Names that GraphQL reserves for its literals. */
const literals = new Set(['true', 'false', 'null']);

/**
 * Converts any text to a GraphQL name. Each invalid character becomes `_`, and a leading digit gets a `_` prefix. Several
 * leading underscores become one, because GraphQL reserves two for introspection.
 */
function toName(text: string): string {
  const name = text.replace(/[^_0-9A-Za-z]/g, '_').replace(/^(?=\d)/, '_');
  return literals.has(name) ? `_${name}` : name.replace(/^__+/, '_');
}

/** Gives API names to enum labels that are not GraphQL names, and to columns that begin with a digit. */
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

/** @throws UnservableNameError when a label has no unique name. */
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
