import type pg from 'pg';

interface Setting {
  /** Null if it applies to every role. */
  readonly role: string | null;
  readonly name: string;
  readonly value: string;
}

/**
 * Copies the settings of a database (`alter database … set`, `alter role … in database … set`), because a database copy
 * does not include them. Prints a warning for each setting that the admin may not set.
 */
export async function copySettings(admin: pg.Client, from: string, to: string): Promise<void> {
  const { rows } = await admin.query<Setting>(
    `select r.rolname as role, split_part(setting, '=', 1) as name, substr(setting, strpos(setting, '=') + 1) as value
     from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole,
       unnest(s.setconfig) setting
     where d.datname = $1`,
    [from],
  );
  for (const { role, name, value } of rows) {
    const quoted = name.split('.').map((part) => admin.escapeIdentifier(part));
    const database = `database ${admin.escapeIdentifier(to)}`;
    const whose = role === null ? database : `role ${admin.escapeIdentifier(role)} in ${database}`;
    await admin.query('begin');
    try {
      // `from current` avoids quoting: list settings such as search_path are stored in a form that SET does not accept.
      await admin.query('select set_config($1, $2, true)', [name, value]);
      await admin.query(`alter ${whose} set ${quoted.join('.')} from current`);
      await admin.query('commit');
    } catch (error) {
      await admin.query('rollback');
      if ((error as { code?: unknown }).code !== '42501') throw error;
      console.error(`The setting ${name} of database ${from} was not copied: ${(error as Error).message}`);
    }
  }
}

/**
 * Copies the grants on a database (`grant connect on database …`), because a database copy does not include them. Roles
 * need these grants to connect once the copy replaces the original.
 */
export async function copyGrants(admin: pg.Client, from: string, to: string): Promise<void> {
  const { rows } = await admin.query<{ grant: string }>(
    `select format('grant %s on database %I to %s%s', privilege_type, $2::text,
       case when grantee = 0 then 'public' else grantee::regrole::text end, case when is_grantable then ' with grant option' else '' end) as grant
     from pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba)))
     where datname = $1 and grantee <> datdba`,
    [from, to],
  );
  const database = admin.escapeIdentifier(to);
  await admin.query(`revoke all on database ${database} from public, hedgerow_authenticator`);
  for (const { grant } of rows) await admin.query(grant);
}
