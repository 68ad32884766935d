-- Checks of backups (P3.2, P8.2)
-- Why, Caller, Errors, Repeat: as in collection.sql.

create function private.attest_backups_are_daily(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.backups whole_is_encrypted_and_complete', 'function private.begin_backup',
      'function private.is_backup_due', 'function private.finish_backup', 'function private.list_backup_files'])
    || case when coalesce(max(b.taken_at) filter (where b.state = 'whole' and b.missing_at is null), '-infinity') > p_now - interval '26 hours'
         then '{}' else array['no whole backup of the last 26 hours'] end
    || private.fault(count(*) filter (where b.missing_at is not null), 'backups that are not where they were put')
    || private.fault(count(*) filter (where b.state = 'whole' and b.listed_at < p_now - interval '26 hours'), 'backups that nobody has seen for 26 hours')
    || private.fault_list('would be in a backup', array(
         select r from unnest(array['private.token_vault', 'private.revocation_outbox', 'auth.sessions', 'auth.refresh_tokens']) r
         where not exists (select from private.backup_exclusions x where x.relation = r))),
    jsonb_build_object('kept', count(*), 'newest', max(b.taken_at), 'oldest', min(b.taken_at),
      'bytes', sum(b.size_bytes), 'keys', array_agg(distinct b.key_id)))
  from private.backups b where b.purged_at is null and b.state <> 'writing'
$$;
comment on function private.attest_backups_are_daily(timestamptz) is 'P3.2';

create function private.attest_backups_can_be_restored(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.record_drill', 'function private.empty_for_restore', 'function private.distrust_restored',
      'constraint private.backup_drills passed_or_says_why'])
    || case when d.drilled_at > p_now - interval '100 days' then '{}' else array['no drill in the last 100 days'] end
    || case when d.passed is false then array['the last drill failed: ' || d.code] else '{}' end,
    jsonb_build_object('last_drill', d.drilled_at, 'rows', d.row_count, 'files', d.file_count, 'erased_again', d.erased_count))
  from (select) x left join lateral (select l.* from private.backup_drills l order by l.drilled_at desc, l.id limit 1) d on true
$$;
comment on function private.attest_backups_can_be_restored(timestamptz) is 'P3.2';

create function private.attest_erased_people_leave_backups(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.backups gone_within_35_days', 'trigger private.erasures _300_note_tombstone',
      'function private.tg_erasures__note_tombstone', 'function private.subject_tag', 'function private.confirm_tombstones',
      'function private.reconcile_backups', 'function private.settle_restore', 'function private.replay_erasure',
      'function private.forget_tombstones', 'constraint private.erasure_tombstones key_leaves_with_the_last_copy'])
    || private.unscheduled(array['forget_tombstones'])
    || private.fault(count(*) filter (where b.expires_at < p_now - interval '26 hours'), 'backups past their 35 days')
    || private.fault((select count(*) from private.erasure_tombstones t where t.copied_state is distinct from t.state
         and t.changed_at < p_now - interval '26 hours' and exists (select from private.backups k where k.purged_at is null)),
         'erasures that are not copied out of the database')
    || private.fault((select count(*) from private.erasure_tombstones t where t.missing_at is not null),
         'copies of erasures that are not where they were put')
    || private.fault((select count(*) from private.erasure_tombstones t where t.ended_at < p_now - interval '37 days'),
         'tags of erased people that outlive the backups'),
    jsonb_build_object('days_after_request', 30 + 35, 'next_purge', min(b.expires_at),
      'tombstones', (select count(*) from private.erasure_tombstones)))
  from private.backups b where b.purged_at is null
$$;
comment on function private.attest_erased_people_leave_backups(timestamptz) is 'P8.2';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('backups_are_daily', 'P3.2', 'database', 'A worker makes a backup each day; a constraint takes none without its key, size and checksum, and the list is compared with what lies there.'),
  ('backups_are_sealed', 'P3.2', 'worker', 'A backup leaves the worker encrypted with AES-256-GCM in chained chunks; one that is cut off, altered or put together otherwise does not open.'),
  ('backups_can_be_restored', 'P3.2', 'database', 'A drill restores a backup into an empty project and records what came of it; tokens and sessions are in none.'),
  ('erased_people_leave_backups', 'P8.2', 'database', 'A backup ends after 35 days by constraint, 65 days after a request; erasures are copied out of the database and replayed by every restore.');
