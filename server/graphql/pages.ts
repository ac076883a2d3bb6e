import { access, constant, type FieldArgs, lambda, list, type Step } from 'postgraphile/grafast';
import { pageSize } from './complexity/complexity.ts';
import { isNumbered, rangeOf } from './cursors/rowNumber.ts';
import { literalOf, variable } from './internals/literal.ts';

interface Pages extends Step {
  getSubplan(): Step;
  setOffset(offset: Step): void;
  setFirst(first: number | Step): void;
  setLast(last: number | Step): void;
}

/**
 * Gives connections a default page size. Without `first` and `last`, a connection returns its first rows, or the last rows
 * before a cursor. The maximum page size is checked before planning, with the other limits of the document.
 */
export const pagesPlugin: GraphileConfig.Plugin = {
  name: 'PagesPlugin',
  version: '1.0.0',
  after: ['PgFirstLastBeforeAfterArgsPlugin'],
  schema: {
    hooks: {
      GraphQLObjectType_fields_field_args(args, _build, { scope }) {
        if (!scope.isPgFieldConnection) return args;
        for (const [name, end] of [
          ['first', `${pageSize.default} if neither \`first\` nor \`last\` is given`],
          ['last', ''],
        ] as const) {
          const argument = args[name];
          if (!argument) continue;
          argument.description = `Only read the ${name} \`n\` values of the set; ${end && `${end}, `}at most ${pageSize.maximum}.`;
          // setSizes() applies both, because each depends on the other.
          argument.applyPlan = () => {};
        }
        const { offset } = args;
        const setOffset = offset?.applyPlan;
        if (offset && setOffset) {
          offset.applyPlan = ($parent, $connection: Pages, input, info) => {
            if (!isNumbered($connection.getSubplan())) setOffset($parent, $connection, input, info);
          };
        }
        return args;
      },
      GraphQLObjectType_fields_field(field, _build, { scope }) {
        const { plan } = field;
        if (!scope.isPgFieldConnection || !plan) return field;
        return {
          ...field,
          plan($parent, fieldArgs, info) {
            const $connection = plan($parent, fieldArgs, info) as unknown as Pages;
            const names = info.field.args.map(({ name }) => name);
            if (isNumbered($connection.getSubplan())) setRange($connection, fieldArgs, names);
            else if (names.includes('first')) setSizes($connection, fieldArgs, names.includes('last'));
            return $connection;
          },
        };
      },
    },
  },
};

function setSizes($connection: Pages, fieldArgs: FieldArgs, backwards: boolean): void {
  const names = backwards ? ['first', 'last', 'before'] : ['first'];
  const steps = names.map((name) => fieldArgs.getRaw(name) as Step);
  const known = steps.map(literalOf);
  if (!known.includes(variable)) {
    const { first, last } = sizes(known);
    if (first != null) $connection.setFirst(first);
    if (last != null) $connection.setLast(last);
    return;
  }
  const $values = list(steps);
  $connection.setFirst(lambda($values, (values) => sizes(values).first, true));
  const forwards = known.slice(1).every((value) => value == null);
  if (!forwards) $connection.setLast(lambda($values, (values) => sizes(values).last, true));
}

/** Sets the sizes and the offset of a page whose cursors are row numbers. */
function setRange($connection: Pages, fieldArgs: FieldArgs, names: readonly string[]): void {
  const given = ['first', 'last', 'before', 'after', 'offset'].map((name) =>
    names.includes(name) ? (fieldArgs.getRaw(name) as Step) : constant(null),
  );
  const $range = lambda(
    list(given),
    (values) => {
      const [, , before, after, offset] = values as [Value, Value, unknown, unknown, Value];
      return rangeOf({ ...sizes(values), offset }, after, before);
    },
    true,
  );
  $connection.setFirst(access($range, 'first'));
  if (names.includes('last')) $connection.setLast(access($range, 'last'));
  $connection.setOffset(access($range, 'offset'));
}

type Value = number | null | undefined;

function sizes(values: readonly unknown[]): { first: Value; last: Value } {
  const [first, last] = values as Value[];
  if (first != null || last != null) return { first, last };
  return values[2] == null ? { first: pageSize.default, last } : { first, last: pageSize.default };
}
