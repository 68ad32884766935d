-- private.data_catalogue, private.register_data(relation, path, purpose, erasure, columns, …)
-- Why:     one list of everything that holds data: every column of every schema, bucket, queue lane, log, backup and
--          service outside. It drives erasure, export, the access view and the retention table; private.catalogue_gaps()
--          compares it with the live schema, both ways, and fails closed (P7.1, P7.3, P7.4, P8.2).
-- Caller:  each context registers its own data in its own data_catalogue.sql, at migration time.
-- Errors:  23503 a purpose that is not listed. 23514 a value that the catalogue does not know.
-- Repeat:  safe: what is registered again is replaced.
--
-- Subject path, how a row leads to its person:
--   none              no row of it belongs to anybody
--   user_id           this column is the person's id
--   column=>relation  this column names a row of a relation that is registered itself, and goes with it
--   folder:column     the first folder of this name is the person's id (files)
--   json:column       the person's id stands somewhere inside
--   with:column       whatever the row is about removes it (queue)
--   daily:column      a pseudonym that leads to the person until the day is over (sql/70_analytics/usage_keys.sql)

create table private.data_catalogue (
  schema_name text not null,
  relation text not null,
  column_name text not null,
  kind text not null,
  category text not null,
  subject_path text not null,
  purpose text not null,
  lawful_basis text not null,
  retain_for interval,
  anchor text not null,
  erase_action text not null,
  export_action text not null,
  export_name text,
  is_optional boolean not null default false,
  justification text,
  primary key (schema_name, relation, column_name),
  foreign key (purpose, lawful_basis) references private.processing_purposes (id, lawful_basis),
  constraint kind_is_known check (kind in ('column', 'bucket', 'queue', 'log', 'backup', 'external', 'schema')),
  constraint category_is_known check (category ~ '^(system\.operations|user(\.[a-z_]+)+)$'),
  constraint subject_path_is_readable check (
    subject_path ~ '^(none|[a-z_]+(=>[a-z_]+\.[a-z_0-9]+)?|(folder|json|with|daily):[a-z_]+)$'),
  constraint personal_data_leads_to_its_person check (category = 'system.operations' or subject_path <> 'none'),
  constraint anchor_is_known check (anchor in ('account_deletion', 'created', 'disconnect', 'issued', 'closed')),
  constraint retention_is_positive check (retain_for > interval '0'),
  constraint erase_action_is_known check (erase_action in (
    'delete_row', 'nullify', 'scrub_json', 'unlink', 'external_delete', 'expire', 'keep_nonpersonal')),
  constraint what_expires_has_a_term check (erase_action <> 'expire' or retain_for is not null),
  constraint what_stays_is_not_personal check (erase_action <> 'keep_nonpersonal' or category = 'system.operations'),
  constraint export_action_is_known check (export_action in (
    'include', 'exclude_secret', 'exclude_third_party', 'exclude_derived')),
  constraint secrets_are_never_exported check ( -- P6.6
    category not like 'user.authorization%' or export_action = 'exclude_secret'),
  constraint included_has_a_name check ((export_action = 'include') <= (export_name is not null)),
  constraint justification_is_a_sentence check (length(justification) between 3 and 300)
);
create index data_catalogue_purpose_idx on private.data_catalogue (purpose, lawful_basis);
comment on table private.data_catalogue is
  'Everything that holds data, with category, person, purpose, retention, and what erasure and export do with it.';
comment on column private.data_catalogue.column_name is 'A column; * for a bucket, lane, log, backup, service or schema.';
comment on column private.data_catalogue.category is
  'In the terms of fideslang: user.… is about a person, system.operations about nobody.';
comment on column private.data_catalogue.subject_path is 'How a row leads to its person; the head of this file lists the forms.';
comment on column private.data_catalogue.retain_for is 'How long after the anchor; NULL: until the anchor itself.';
comment on column private.data_catalogue.erase_action is
  'delete_row: the row goes. nullify, scrub_json: the row stays, without this. unlink: the row moves to schema retained '
  'without the person. external_delete: a job tells the service. expire: gone by its own term, within the deadline. '
  'keep_nonpersonal: about nobody.';
comment on column private.data_catalogue.export_name is 'Name of the area in an export and in the access view.';
comment on column private.data_catalogue.is_optional is 'Belongs to the platform, and not every stack has it.';
comment on column private.data_catalogue.justification is
  'What is inside, where type or name do not tell, and why it may stay where it stays.';

create function private.register_data(
  p_relation text, p_path text, p_purpose text, p_erase text, p_columns jsonb,
  p_export_name text default null, p_retain_for interval default null, p_anchor text default 'account_deletion',
  p_notes jsonb default '{}', p_erase_of jsonb default '{}', p_export_of jsonb default '{}',
  p_optional text[] default '{}', p_kind text default 'column'
) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into private.data_catalogue as d (schema_name, relation, column_name, kind, category, subject_path, purpose,
    lawful_basis, retain_for, anchor, erase_action, export_action, export_name, is_optional, justification)
  select split_part(p_relation, '.', 1), split_part(p_relation, '.', 2), name, p_kind, c.key, p_path, p.id,
         p.lawful_basis, p_retain_for, p_anchor, coalesce(p_erase_of ->> name, p_erase), x.action,
         case when x.action = 'include' then p_export_name end, '*' = any (p_optional) or name = any (p_optional), p_notes ->> name
  from jsonb_each_text(p_columns) c
  cross join lateral regexp_split_to_table(c.value, '\s+') name
  cross join lateral (select coalesce(p_export_of ->> name,
    case when c.key like 'user.authorization%' then 'exclude_secret'
         when p_export_name is null then 'exclude_derived' else 'include' end) as action) x
  join private.processing_purposes p on p.id = p_purpose
  on conflict (schema_name, relation, column_name) do update set
    kind = excluded.kind, category = excluded.category, subject_path = excluded.subject_path,
    purpose = excluded.purpose, lawful_basis = excluded.lawful_basis, retain_for = excluded.retain_for,
    anchor = excluded.anchor, erase_action = excluded.erase_action, export_action = excluded.export_action,
    export_name = excluded.export_name, is_optional = excluded.is_optional, justification = excluded.justification
$$;
comment on function private.register_data(text, text, text, text, jsonb, text, interval, text, jsonb, jsonb, jsonb, text[], text) is
  'Registers columns of one relation, {"category": "column column"}; notes and exceptions by column; p_optional: columns, or *.';

select private.register_data(r, 'none', 'features', 'keep_nonpersonal', jsonb_build_object('system.operations', c),
  p_notes => '{"name": "Of a process."}') from (values
  ('private.error_registry', 'code message hint http_status'),
  ('private.definer_ledger', 'function_name reason'),
  ('private.partitioned_tables', 'table_name retention every'),
  ('private.housekeeping_tasks', 'task function_name run_order last_run_at last_success_at last_code'),
  ('private.processing_purposes', 'id lawful_basis may_be_refused description'),
  ('private.workers', 'id name started_at heartbeat_at stopped_at released_at'),
  ('private.data_catalogue', 'schema_name relation column_name kind category subject_path purpose lawful_basis retain_for '
    'anchor erase_action export_action export_name is_optional justification')) x (r, c);

select private.register_data('private.redirect_urls', 'none', 'security', 'keep_nonpersonal',
  '{"system.operations": "url announced_at"}', p_notes => '{"url": "Addresses of front ends, set by whoever runs the service."}');
select private.register_data('private.settings', 'none', 'features', 'keep_nonpersonal',
  '{"system.operations": "key value description"}', p_notes => '{"value": "One scalar per setting, set by whoever runs the service."}');
select private.register_data('private.idempotency_keys', 'user_id', 'features', 'delete_row',
  '{"user.unique_id": "user_id", "user.content": "response request_hash", "system.operations": "function_name key created_at"}',
  p_retain_for => '24 hours', p_anchor => 'created', p_notes => '{"response": "The answer to a request, which may hold what the person wrote."}');
select private.register_data('private.queue', 'with:subject_id', 'features', 'delete_row',
  '{"user.unique_id": "subject_id", "user.content": "progress", "system.operations": "due_at expires_at leased_at sending_at sending_attempt worker_id attempt lane again_at"}',
  p_notes => '{"progress": "Upload sessions (sealed) and ids of containers; goes with the work that it belongs to."}');
select private.register_data('private.held_people', 'subject_id', 'legal_duty', 'delete_row', '{"user.unique_id": "subject_id"}');
select private.register_data('private.dead_letters', 'with:subject_id', 'features', 'delete_row',
  '{"user.unique_id": "subject_id", "system.operations": "id lane attempts last_code died_at"}',
  p_retain_for => '90 days', p_anchor => 'created');

-- Schemas of the platform in which nothing of ours lies; a table elsewhere is a gap.
select private.register_data(s || '.*', 'none', 'features', 'keep_nonpersonal', '{"system.operations": "*"}',
  p_notes => jsonb_build_object('*', n), p_optional => '{*}', p_kind => 'schema') from (values
  ('extensions', 'Objects of extensions.'),
  ('supabase_migrations', 'History of migrations: their text, which holds no data of people.'),
  ('supabase_functions', 'Webhooks of the platform; none is set up.'),
  ('realtime', 'Messages on their way to listeners, of the platform; only ids of rows that row-level security lets through.'),
  ('vault', 'Secrets of the platform; this service stores none (P3.5).'),
  ('cron', 'Scheduler of the platform; this service does not use it.'),
  ('net', 'Requests of the platform''s webhooks; this service does not use it.'),
  ('graphql', 'GraphQL of the platform; holds no rows.'),
  ('graphql_public', 'GraphQL of the platform; holds no rows.'),
  ('pgbouncer', 'Pooler of the platform.'),
  ('pgmq', 'Queues of the platform; this service has its own.')) x (s, n);

-- What lies outside the database.
select private.register_data('log.worker', 'none', 'security', 'keep_nonpersonal', '{"system.operations": "*"}',
  p_notes => '{"*": "Ids, codes, counts and durations from a list of allowed fields (P1.11)."}', p_kind => 'log');
select private.register_data('log.postgres', 'none', 'security', 'keep_nonpersonal', '{"system.operations": "*"}',
  p_notes => '{"*": "Bound parameters are not logged; ./nexora doctor checks the settings (P1.11)."}', p_kind => 'log');
select private.register_data('backup.' || b, 'json:contents', 'security', 'expire', '{"user.content": "*"}',
  p_retain_for => '35 days', p_anchor => 'created', p_notes => '{"*": "Encrypted; erasures are replayed when one is restored (P3.2, P8.2)."}',
  p_kind => 'backup') from unnest(array['database', 'files']) b;
