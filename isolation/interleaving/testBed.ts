import type { Client, Member } from '../api/client.ts';
import type { Holdings } from '../api/rows.ts';
import type { Known } from '../api/validArguments.ts';
import type { Admin } from './backends.ts';

/** What a run needs: a server, its tenants with what they have in the beginning, and the way back there. */
export interface TestBed {
  readonly client: Client;
  readonly known: Known;
  /** The types of rows that requests are about. */
  readonly types: readonly string[];
  readonly db: Admin;
  readonly tenants: readonly { readonly member: Member; readonly holdings: Holdings }[];
  /** What the server answers beside leaks is checked, too: its codes, and what it has kept. */
  readonly strict: boolean;
  restore(): Promise<void>;
}
