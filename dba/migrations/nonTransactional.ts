import type { Statement } from '../../lint/statements.ts';
import { maskQuoted } from '../../lint/tokens.ts';

/** A statement that Postgres refuses to run in a transaction. */
export interface NonTransactional {
  /** The command as messages name it. */
  readonly command: string;
  /** A form of the statement that runs in a transaction; empty if there is none. */
  readonly instead: string;
}

const outside = 'run it outside migrations, because a migration belongs to one database';

/** Patterns for masked statements, the name of the command (by default group 1) and its replacement. */
const commands: readonly { readonly pattern: RegExp; readonly command?: string; readonly instead?: string }[] = [
  { pattern: /^((?:create(?: unique)?|drop) index concurrently)\b/i },
  { pattern: /^reindex \([^)]*\bconcurrently\b(?! (?:false|off|0)\b)/i, command: 'reindex (concurrently)' },
  { pattern: /^reindex (?:\([^)]*\) )?(?:index|table) concurrently\b/i, command: 'reindex concurrently' },
  {
    pattern: /^reindex (?:\([^)]*\) )?(?:database|system|schema)\b/i,
    command: 'reindex database, system or schema',
    instead: 'name a table, as in `reindex table app_public.a`',
  },
  {
    pattern: /^cluster(?: verbose| \([^)]*\))?$/i,
    command: 'cluster',
    instead: 'name the table, as in `cluster app_public.a using a_idx`',
  },
  { pattern: /^alter table .* detach partition .* concurrently$/i, command: 'detach partition concurrently' },
  { pattern: /^(vacuum)\b/i },
  { pattern: /^((?:create|drop) (?:database|tablespace))\b/i, instead: outside },
  { pattern: /^alter database .* set tablespace\b/i, command: 'alter database … set tablespace', instead: outside },
  {
    pattern: /^(alter system)\b/i,
    instead: 'write `alter database … set` or `alter role … set` if the setting allows it',
  },
];

/**
 * Returns the command of a statement that cannot run in a transaction; `undefined` if the statement can.
 *
 * @param before the statements before it in the same migration.
 */
export function nonTransactional({ sql }: Statement, before: readonly Statement[]): NonTransactional | undefined {
  const { text } = maskQuoted(sql);
  for (const { pattern, command, instead = '' } of commands) {
    const match = pattern.exec(text);
    if (match) return { command: command ?? (match[1] as string).toLowerCase(), instead };
  }
  return ofSubscription(sql, before);
}

/** Finds subscription commands that connect to the publisher or change its slots: they cannot run in a transaction. */
function ofSubscription(sql: string, before: readonly Statement[]): NonTransactional | undefined {
  const { text } = maskQuoted(sql);
  const [, verb, name = '', rest = ''] =
    /^(create|alter|drop) subscription (?:if exists )?(\S+)(.*)$/i.exec(text) ?? [];
  const command = `${verb?.toLowerCase()} subscription`;
  if (command === 'create subscription') {
    if (isFalse(sql, 'create_slot') || isFalse(sql, 'connect')) return undefined;
    return { command, instead: 'write `with (create_slot = false)` and create the slot on the publisher' };
  }
  if (command === 'alter subscription') {
    if (/^ (?:set|add|drop) publication\b/i.test(rest)) {
      return isFalse(sql, 'refresh')
        ? undefined
        : { command: `${command} … publication`, instead: 'write `with (refresh = false)`' };
    }
    if (/^ refresh\b/i.test(rest)) return { command: `${command} … refresh`, instead: '' };
    if (/^ set \( .*\b(?:two_phase|failover)\b/i.test(rest)) return { command: `${command} … set`, instead: '' };
  }
  if (command !== 'drop subscription') return undefined;
  const own = maskQuoted(sql).restore(name);
  const hasNoSlot = before.some((other) => {
    const masked = maskQuoted(other.sql);
    const [, altered, slot] = /^alter subscription (\S+) set \( .*\bslot_name = (\S+)/i.exec(masked.text) ?? [];
    return altered && slot && masked.restore(altered) === own && /^'?none'?$/i.test(masked.restore(slot));
  });
  const instead = 'write `alter subscription … disable` and `alter subscription … set (slot_name = none)` before it';
  return hasNoSlot ? undefined : { command, instead };
}

/** Whether a statement sets an option to false. */
function isFalse(sql: string, option: string): boolean {
  const { text, restore } = maskQuoted(sql);
  const [, value] = new RegExp(`[(,] ${option} = (\\S+)`, 'i').exec(text) ?? [];
  return value !== undefined && /^'?(?:false|off|0)'?$/i.test(restore(value));
}
