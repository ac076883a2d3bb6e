import { sharedReason } from '../lint/accessModel.ts';
import { type Catalog, isReachable } from './catalog.ts';
import { unsetClaims } from './claims.ts';
import { exceptionLines } from './declarations.ts';
import { documentOf } from './identity.ts';
import type { SeedData } from './seedData/seedData.ts';
import type { SqlOptions } from './sql/attackSql.ts';

/** Something that the prover leaves out, with the reason. It does not affect the verdict. */
export interface NotJudged {
  readonly about: string;
  readonly reason: string;
}

/** Tables, columns, policies and settings that the SQL attacks leave out. */
export function notJudged(catalog: Catalog, seedData: SeedData, { only = () => true }: SqlOptions): NotJudged[] {
  const tables = catalog.tables.filter(({ name }) => only(name));
  return [
    ...tables.flatMap((table): NotJudged[] => {
      const owner = seedData.owners.get(table.oid);
      if (owner?.kind !== 'shared' || !isReachable(table)) return [];
      return [{ about: table.name, reason: `all tenants share its rows: ${owner.why}` }];
    }),
    ...tables.flatMap(({ name, columns }) =>
      columns.flatMap((column): NotJudged[] => {
        const reason = sharedReason(column.comment);
        if (reason === undefined) return [];
        return [
          {
            about: `${name}.${column.name}`,
            reason: `its comment declares it shared, so rows have its default: ${reason}`,
          },
        ];
      }),
    ),
    ...tables.flatMap((table) =>
      exceptionLines(table).map((line) => ({
        about: `rows of ${table.name}`,
        reason: `its comment declares who else may ${line.startsWith('read') ? 'read' : 'write'} them: ${line}`,
      })),
    ),
    ...tables.flatMap(({ name, policies }) =>
      policies
        .filter(({ applies }) => !applies)
        .map((policy) => ({
          about: `policy ${policy.name} on ${name}`,
          reason: `it is for ${policy.roles.join(' and ')}, and the attacks use the role ${catalog.role}`,
        })),
    ),
    ...Object.entries(catalog.set ?? {})
      .filter(([, value]) => value === '')
      .map(([name]) => ({
        about: `setting ${name}`,
        reason: 'it is left unset, as --set says; with a value it may reveal more rows',
      })),
    ...unsetClaims(documentOf(catalog.template) ?? {}).map((claim) => ({
      about: `claim ${claim} of ${catalog.setting}`,
      reason: 'it is left unset, as --setting-template says; with a value it may reveal more rows',
    })),
    ...(catalog.fixed ?? []).map((name) => ({
      about: name,
      reason: 'assumed to be the same in every session, as --fixed says',
    })),
    ...supersededClaims(catalog),
  ];
}

/** The claim settings of PostgREST before version 9. Functions such as auth.uid() still read them first. */
function supersededClaims({ setting, routines, tables }: Catalog): NotJudged[] {
  const policies = tables.flatMap((table) => table.policies);
  const isRead = [
    ...routines.map(({ source }) => source),
    ...policies.flatMap(({ using, check }) => [using, check]),
  ].some((text) => text?.includes('request.jwt.claim.'));
  return setting.toLowerCase() === 'request.jwt.claims' && isRead
    ? [
        {
          about: 'settings request.jwt.claim.*',
          reason: 'they are left unset, as PostgREST leaves them unset since version 9',
        },
      ]
    : [];
}
