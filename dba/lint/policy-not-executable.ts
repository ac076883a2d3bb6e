import { descendants, type Node, nodes } from '../linter/nodeTree.ts';
import type { PolicyRule } from '../linter/rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'tenants may not use what a policy uses, so that every statement fails',
  judge: ({ using, check }, { functions, tables, readable }) => {
    const all = [using, check].flatMap((one): Node[] => (one ? descendants(one) : []));
    const called = all.flatMap(({ fields }) => [fields.funcid, fields.opfuncid, fields.aggfnoid, fields.winfnoid]);
    const refused = called
      .map((oid) => functions.get(String(oid)))
      .filter((one) => one !== undefined && !one.executable)
      .map((one) => `execute ${one?.name}()`);
    const hidden = all
      .filter(({ kind }) => kind === 'QUERY')
      .flatMap(({ fields }) => nodes(fields.rtable))
      .map(({ fields }) => String(fields.relid))
      .filter((oid) => tables.has(oid) && !readable.has(oid))
      .map((oid) => `read ${tables.get(oid)}`);
    const missing = [...new Set([...refused, ...hidden])];
    return missing.length > 0 ? `tenants may not ${missing.join(' or ')}` : undefined;
  },
};
