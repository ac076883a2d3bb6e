import type { ApiActor, Client } from '../api/client.ts';
import type { Holdings } from '../api/rows.ts';
import type { ArgumentSources } from '../api/validArguments.ts';
import type { Admin } from './backends.ts';

/** A server, its tenants with their initial rows, and the way to restore them. */
export interface TestBed {
  readonly client: Client;
  readonly known: ArgumentSources;
  /** The types of rows that requests are about. */
  readonly types: readonly string[];
  readonly db: Admin;
  readonly tenants: readonly { readonly member: ApiActor; readonly holdings: Holdings }[];
  /** Whether error codes and stored rows are checked too, and not leaks alone. */
  readonly strict: boolean;
  restore(): Promise<void>;
}
