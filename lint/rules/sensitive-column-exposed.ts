import type { CatalogRule } from '../rule.ts';
import { tenantRole } from '../scope.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** Words in a column name, for `resetToken` as well as `reset_token`. `hash` counts only as the whole name. */
const words = [
  '(password|passphrase|passcode|passwd|pwd)s?[0-9]*',
  '(secret|token|salt|credential)s?',
  '(api|access|private|secret|signing|encryption)_?keys?',
  '(recovery|backup|security)_codes?',
  'otp|totp|ssn|social_security_number|card_number|cvv|cvc|iban',
];

/** Policies restrict rows, but a response should not contain the tenant's own secrets either. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title:
    'tenants may read a column whose name suggests a secret: leave it out of the grant or move it to a private schema',
  query: String.raw`
    select format('%s.%I', c.object, a.attname) as object, null as detail
    from ${scopedRelations} c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where has_column_privilege(${tenantRole}, c.oid, a.attnum, 'select')
      and lower(regexp_replace(a.attname, '([a-z0-9])([A-Z])|\W', '\1_\2', 'g')) ~ '^hash$|(^|_)(${words.join('|')})(_|$)'
    order by 1`,
};
