/** Functions of Postgres whose result depends on the session, the server or chance, not only on arguments and rows. */
const sessionFunctions = new RegExp(
  `^(${[
    'inet_(client|server)_(addr|port)|pg_backend_pid|pg_client_encoding|version',
    'current_(database|query|schemas?|user)|session_user|system_user|getpgusername|row_security_active',
    'set_config|pg_show_all_(file_)?settings|pg_settings_get_flags|get_current_ts_config|pg_config|pg_control_.*',
    'pg_(prepared_statement|prepared_xact|cursor|listening_channels|my_temp_schema|is_other_temp_schema|trigger_depth)',
    'pg_.*_is_visible|pg_stat_.*|pg_(lock_status|blocking_pids|safe_snapshot_blocking_pids|notification_queue_usage)',
    'pg_(is_in_recovery|postmaster_start_time|conf_load_time|export_snapshot|promote|get_(backend|shmem|wal|loaded|aios).*)',
    'pg_(current|last|xact)_.*|pg_get_replication_slots|txid_.*|pg_sequence_last_value|currval|lastval|nextval|setval',
    'pg_(read|ls)_.*|pg_hba_file_rules|pg_ident_file_mappings|pg_(try_)?advisory_.*|lo_.*|loread',
    'random(_normal)?|array_(sample|shuffle)|gen_random_uuid|uuidv[47]|bernoulli|system',
    '(query|cursor|table|schema|database)_to_xml.*|ts_stat|ts_rewrite',
  ].join('|')})$`,
);

/** Functions about the privileges of a role. Without a role as the first argument, they use the current role. */
const privileges = /^(pg_has_role|has_(\w+)_privilege)$/;

/**
 * Whether the result of a function of Postgres depends on the session.
 *
 * @param count the number of its arguments.
 */
export function dependsOnSession(name: string, count: number): boolean {
  if (privileges.test(name)) return count < (name === 'has_column_privilege' ? 4 : 3);
  if (name === 'ts_rewrite') return count === 2;
  return sessionFunctions.test(name);
}

/** Functions and keywords of Postgres that read the clock. */
export const clock =
  /^(now|(transaction|statement|clock)_timestamp|timeofday|current_(date|time|timestamp)|localtime|localtimestamp)$/;
