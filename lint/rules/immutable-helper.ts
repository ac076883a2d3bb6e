import { descendants } from '../../postgres/nodeTree.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title:
    'a policy calls an IMMUTABLE function that reads a setting, so Postgres may reuse the result of another tenant',
  judge: ({ using, check }, { functions }) => {
    const called = [using, check]
      .flatMap((one) => (one ? descendants(one) : []))
      .flatMap(({ fields }) => [fields.funcid, fields.opfuncid])
      .map((oid) => functions.get(String(oid))?.frozen);
    const frozen = called.find((name) => name !== undefined);
    return (
      frozen &&
      `relies on ${frozen}, which is IMMUTABLE and reads a setting, so a prepared statement keeps the result of an earlier tenant: make it STABLE`
    );
  },
};
