import fc from 'fast-check';
import { type Fault, faults } from './faults.ts';

/** What a tenant can do; what it is done with follows from `choice`. */
const kinds = [
  ...['create', 'create', 'update', 'delete', 'read', 'read', 'page', 'batch', 'nested', 'search'],
  ...['another’s row', 'a stranger'],
] as const;

export interface Step {
  readonly tenant: number;
  readonly kind: (typeof kinds)[number];
  /** Which type of rows, and which of them: modulo as many as there are. */
  readonly type: number;
  readonly choice: number;
  readonly fault: Fault | undefined;
}

/** Lists of steps that shrink to fewer ones, without faults, of the first tenant. */
export function steps(tenants: number, length: number): fc.Arbitrary<Step[]> {
  const fault = fc.oneof(
    { weight: 12, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...faults) },
  );
  const step = fc.record({
    tenant: fc.nat(tenants - 1),
    kind: fc.constantFrom(...kinds),
    type: fc.nat(20),
    choice: fc.nat(50),
    fault,
  });
  return fc.array(step as fc.Arbitrary<Step>, { minLength: 1, maxLength: length, size: 'max' });
}
