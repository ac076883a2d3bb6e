import fc from 'fast-check';
import { type Fault, faults } from './faults.ts';

/** The operations of tenants. Repeated entries are more likely. */
const operations = [
  'create',
  'create',
  'update',
  'delete',
  'read',
  'read',
  'page',
  'batch',
  'nested',
  'search',
  'another tenant’s row',
  'another tenant’s organization',
  'unauthenticated',
] as const;

/** One operation of one tenant. */
export interface Step {
  readonly tenant: number;
  readonly operation: (typeof operations)[number];
  /** Chooses the type of the rows, modulo the number of types. */
  readonly type: number;
  /** Chooses the row, the field and the values, modulo the number of each. */
  readonly choice: number;
  readonly fault: Fault | undefined;
}

/**
 * Generates lists of steps. They shrink to fewer steps, without faults, of the first tenant.
 *
 * @param maxLength the maximum number of steps.
 */
export function steps(tenants: number, maxLength: number): fc.Arbitrary<Step[]> {
  const fault = fc.oneof(
    { weight: 12, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...faults) },
  );
  const step = fc.record({
    tenant: fc.nat(tenants - 1),
    operation: fc.constantFrom(...operations),
    type: fc.nat(20),
    choice: fc.nat(50),
    fault,
  });
  return fc.array(step as fc.Arbitrary<Step>, { minLength: 1, maxLength, size: 'max' });
}
