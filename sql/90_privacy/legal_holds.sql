-- private.legal_holds; worker.place_legal_hold(…), approve_legal_hold(…), release_legal_hold(…); private.held_relations(person)
-- Why:     a legal hold keeps what it covers from being deleted, by an erasure as by anybody; when it is lifted, erasure
--          goes on (P8.5). Tokens are never held: they are credentials, not evidence.
-- Caller:  service_role, for two people of staff. DEFINER bodies: holds are in private.
-- Errors:  NX002 an argument. NX913 something that is held is to be deleted. NX914 a second person has to do this.
--          NX915 no such hold.
-- Repeat:  approving and releasing again changes nothing.
-- Locks:   the person's erasure, so that a hold and a step of the erasure never overlap: whichever comes first counts,
--          and the next step sees the hold.
-- Note:    a hold works from the moment it is placed, for three days; a second person has to approve it for longer. Lifting
--          it takes two people as well: the first asks, the second does.

create table private.legal_holds (
  id uuid primary key default gen_random_uuid(),
  subject_id uuid not null,
  categories text[] not null,
  matter text not null,
  placed_by text not null,
  placed_at timestamptz not null,
  approved_by text,
  approved_at timestamptz,
  release_asked_by text,
  released_by text,
  released_at timestamptz,
  constraint categories_are_of_people check (
    cardinality(categories) > 0 and array_to_string(categories, ' ') ~ '^user(\.[a-z_]+)*( user(\.[a-z_]+)*)*$'),
  constraint tokens_are_never_held check (array_to_string(categories, ' ') !~ 'user\.authorization'),
  constraint matter_is_a_reference check (length(matter) between 1 and 120),
  constraint people_are_named check (length(placed_by) between 1 and 120),
  constraint a_second_person_approves check (approved_by <> placed_by),
  constraint approval_is_whole check ((approved_by is null) = (approved_at is null)),
  constraint a_second_person_releases check (released_by <> release_asked_by),
  constraint release_is_whole check (
    (released_by is null) = (released_at is null) and (released_by is null or release_asked_by is not null))
);
create index legal_holds_subject_id_idx on private.legal_holds (subject_id) where released_at is null;
comment on table private.legal_holds is 'What must not be deleted of whom, and for which matter (P8.5).';
comment on column private.legal_holds.categories is 'Categories of the data catalogue; user.content covers what is below it, user everything.';
comment on column private.legal_holds.matter is 'Reference of the matter, such as a case number; no description.';

create function private.note_held_people() returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from private.held_people p
    where not exists (select from private.legal_holds h where h.subject_id = p.subject_id and h.released_at is null)
      and not exists (select from private.accounts a where a.user_id = p.subject_id and a.restricted_at is not null);
  insert into private.held_people (subject_id)
    select h.subject_id from private.legal_holds h where h.released_at is null
    union
    select a.user_id from private.accounts a where a.restricted_at is not null
    on conflict do nothing;
end;
$$;
comment on function private.note_held_people() is
  'Writes down of whom cleanups must keep something: a legal hold (P8.5), or a restriction that they asked for (P7.7).';

create function private.tg_legal_holds__note_people() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.note_held_people();
  return null;
end;
$$;
comment on function private.tg_legal_holds__note_people() is 'Keeps the list of held people, which cleanups of all contexts read, true.';
create trigger _300_note_people after insert or update or delete on private.legal_holds
  for each statement execute function private.tg_legal_holds__note_people();

create function private.effective_holds(p_subject uuid, p_now timestamptz default now())
returns setof private.legal_holds
language sql stable security invoker set search_path = '' as $$
  select h.* from private.legal_holds h
  where h.subject_id = p_subject and h.released_at is null
    and (h.approved_at is not null or h.placed_at > p_now - interval '72 hours')
$$;
comment on function private.effective_holds(uuid, timestamptz) is 'Holds on a person that work now.';

create function private.hold_covers(p_subject uuid, p_schema text, p_relation text, p_now timestamptz default now())
returns boolean
language sql stable security invoker set search_path = '' as $$
  select exists (
    select from private.effective_holds(p_subject, p_now) h
    cross join unnest(h.categories) held
    join private.data_catalogue d on d.schema_name = p_schema and d.relation = p_relation
    where d.category not like 'user.authorization%' and d.category <> 'user.unique_id'
      and d.erase_action <> 'expire' and (d.retain_for is null or d.retain_for > interval '1 day') -- gone before anybody asks
      and (d.category = held or d.category like held || '.%'))
$$;
comment on function private.hold_covers(uuid, text, text, timestamptz) is 'Whether a hold covers something in this relation.';

-- A row that others of the person point at, and take with it, must stay as well.
create function private.held_relations(p_subject uuid, p_now timestamptz default now()) returns setof text
language sql stable security invoker set search_path = '' as $$
  with recursive held as (
    select distinct c.oid
    from private.data_catalogue d
    join pg_class c on c.relname = d.relation and c.relnamespace = to_regnamespace(d.schema_name)
    where d.kind = 'column' and private.hold_covers(p_subject, d.schema_name, d.relation, p_now)
    union
    select k.confrelid from held h join pg_constraint k on k.conrelid = h.oid and k.contype = 'f'
  )
  select n.nspname || '.' || c.relname from held h join pg_class c on c.oid = h.oid join pg_namespace n on n.oid = c.relnamespace
$$;
comment on function private.held_relations(uuid, timestamptz) is 'Relations in which rows of this person must stay.';

create function private.place_legal_hold(
  p_subject_id uuid, p_categories text[], p_matter text, p_by text, p_now timestamptz default now()
) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_hold uuid;
begin
  perform from private.erasures e where e.user_id = p_subject_id for update;
  insert into private.legal_holds (subject_id, categories, matter, placed_by, placed_at)
    values (p_subject_id, p_categories, p_matter, p_by, p_now) returning id into v_hold;
  perform private.audit('legal_hold_placed', 'legal_hold', v_hold, p_now := p_now);
  return v_hold;
exception when check_violation or not_null_violation then
  perform private.fail('NX002', p_detail := 'p_categories, p_matter, p_by');
  return null;
end;
$$;
comment on function private.place_legal_hold(uuid, text[], text, text, timestamptz) is 'Body of worker.place_legal_hold().';

create function private.require_hold(p_hold uuid) returns private.legal_holds
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_hold private.legal_holds;
begin
  select * into v_hold from private.legal_holds h where h.id = p_hold for update;
  if not found then
    perform private.fail('NX915');
  end if;
  return v_hold;
end;
$$;
comment on function private.require_hold(uuid) is 'The hold, locked, or NX915.';

create function private.approve_legal_hold(p_hold_id uuid, p_by text, p_now timestamptz default now()) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_hold private.legal_holds := private.require_hold(p_hold_id);
begin
  if v_hold.released_at is not null or v_hold.approved_at is not null then
    return false;
  elsif coalesce(p_by, v_hold.placed_by) = v_hold.placed_by then
    perform private.fail('NX914');
  end if;
  update private.legal_holds h set approved_by = p_by, approved_at = p_now where h.id = p_hold_id;
  perform private.audit('legal_hold_approved', 'legal_hold', p_hold_id, p_now := p_now);
  return true;
end;
$$;
comment on function private.approve_legal_hold(uuid, text, timestamptz) is 'Body of worker.approve_legal_hold().';

create function private.release_legal_hold(p_hold_id uuid, p_by text, p_now timestamptz default now()) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_hold private.legal_holds := private.require_hold(p_hold_id);
begin
  if v_hold.released_at is not null then
    return true;
  elsif p_by is null or p_by = v_hold.release_asked_by then
    perform private.fail('NX914');
  elsif v_hold.release_asked_by is null then
    update private.legal_holds h set release_asked_by = p_by where h.id = p_hold_id;
    return false;
  end if;
  update private.legal_holds h set released_by = p_by, released_at = p_now where h.id = p_hold_id;
  perform private.audit('legal_hold_released', 'legal_hold', p_hold_id, p_now := p_now);
  perform private.resume_erasures(v_hold.subject_id, p_now);
  return true;
end;
$$;
comment on function private.release_legal_hold(uuid, text, timestamptz) is 'Body of worker.release_legal_hold().';

-- Argument: the column that names the person. A hold on anybody at all stops a TRUNCATE.
create function private.tg_keep_held() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_subject uuid;
begin
  if tg_op = 'TRUNCATE' then
    if exists (select from private.legal_holds h where h.released_at is null
               and private.hold_covers(h.subject_id, split_part(tg_argv[1], '.', 1), split_part(tg_argv[1], '.', 2))) then
      perform private.fail('NX913', p_detail := tg_argv[1]);
    end if;
    return null;
  end if;
  v_subject := private.uuid_or_null(to_jsonb(old) ->> tg_argv[0]);
  if exists (select from private.effective_holds(v_subject))
     and private.hold_covers(v_subject, split_part(tg_argv[1], '.', 1), split_part(tg_argv[1], '.', 2)) then
    perform private.fail('NX913', p_detail := tg_argv[1]);
  end if;
  return old;
end;
$$;
comment on function private.tg_keep_held() is
  'BEFORE DELETE, BEFORE TRUNCATE: what a legal hold covers is not deleted, by anybody (P8.5). It raises: a silent refusal '
  'would leave orphans behind.';

insert into private.definer_ledger (function_name, reason) values
  ('private.place_legal_hold', 'Writes holds, on which service_role has no rights.'),
  ('private.approve_legal_hold', 'Writes holds, on which service_role has no rights.'),
  ('private.release_legal_hold', 'Writes holds, on which service_role has no rights.'),
  ('private.tg_legal_holds__note_people', 'Writes held_people for whoever places or lifts a hold.'),
  ('private.tg_keep_held', 'Asks for holds, whoever deletes.');

create function worker.place_legal_hold(p_subject_id uuid, p_categories text[], p_matter text, p_by text) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.place_legal_hold(p_subject_id, p_categories, p_matter, p_by)
$$;
comment on function worker.place_legal_hold(uuid, text[], text, text) is
  'Keeps what these categories cover of a person from being deleted, from now on; lapses after 72 hours unless approved (P8.5).';

create function worker.approve_legal_hold(p_hold_id uuid, p_by text) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.approve_legal_hold(p_hold_id, p_by)
$$;
comment on function worker.approve_legal_hold(uuid, text) is
  'A second person approves a hold, so that it stays until it is released. False: it was approved or released already.';

create function worker.release_legal_hold(p_hold_id uuid, p_by text) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.release_legal_hold(p_hold_id, p_by)
$$;
comment on function worker.release_legal_hold(uuid, text) is
  'The first person asks (false), a second one lifts the hold (true); an erasure that waited for it goes on (P8.5).';

create function private.unguarded_relations() returns table (name text, subject_column text)
language sql stable security invoker set search_path = '' as $$
  select distinct d.schema_name || '.' || d.relation, d.subject_path
  from private.data_catalogue d
  join pg_class c on c.relname = d.relation and c.relnamespace = to_regnamespace(d.schema_name) and c.relkind in ('r', 'p')
  where d.kind = 'column' and d.subject_path ~ '^[a-z_]+$' and d.subject_path <> 'none' and d.erase_action = 'delete_row'
    and (d.schema_name in ('public', 'private') or d.schema_name || '.' || d.relation = 'auth.users')
    and exists (select from private.data_catalogue o
                where (o.schema_name, o.relation) = (d.schema_name, d.relation) and o.category not like 'user.authorization%'
                  and o.category not in ('user.unique_id', 'system.operations'))
    and (d.retain_for is null or d.retain_for > interval '1 day')
    and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = '_050_keep_held')
$$;
comment on function private.unguarded_relations() is
  'Relations that a hold can cover and that have no guard: none, once ensure_hold_guards() has run.';
