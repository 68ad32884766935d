-- Triggers on posts, post_media, target_follow_ups and post_targets
-- Why:     what was checked when a post was scheduled stays true until it is published, and what a worker has in hand does
--          not change under it: a probe compares what was sent with what the platform shows.
-- Caller:  the statements of people. Workers and erasure (no auth.uid()) pass: they act on rules of their own.
-- Errors:  NX410 the edit breaks a rule for a scheduled target. NX422 deleting, NX423 editing what is being published.
-- Locks:   post, queue rows (never waiting: a row that somebody holds is being worked on), targets by reading only.

-- Locking the queue rows settles the race with a claim: it either has the row already, and the edit is refused, or skips
-- it until the edit has committed, and then reads the new content.
create function private.require_at_rest(p_target_ids uuid[], p_code text) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_live int;
  v_held int;
begin
  select count(*) into v_live from private.queue q where q.lane = 'publish' and q.subject_id = any (p_target_ids);
  select count(*) into v_held from (
    select q.subject_id
    from public.post_targets t join private.queue q on q.lane = 'publish' and q.subject_id = t.id
    where t.id = any (p_target_ids) and q.worker_id is null and q.sending_at is null and t.state <> 'publishing'
    for update of q skip locked) held;
  if v_held < v_live then
    perform private.fail(p_code);
  end if;
end;
$$;
comment on function private.require_at_rest(uuid[], text) is
  'Fails with the code while a worker has one of the targets; otherwise keeps workers off until the commit.';

create function private.require_content_at_rest(p_post_id uuid, p_code text) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.require_at_rest(array(select t.id from public.post_targets t where t.post_id = p_post_id), p_code)
$$;
comment on function private.require_content_at_rest(uuid, text) is 'The same for all targets of a post.';

create function private.check_scheduled_targets(p_post_id uuid, p_now timestamptz default now()) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.check_problems(array(
    select t.id from public.post_targets t where t.post_id = p_post_id and t.state = 'scheduled' order by t.id), p_now)
$$;
comment on function private.check_scheduled_targets(uuid, timestamptz) is 'NX410 if a scheduled target of the post breaks a rule.';

create function private.tg_posts__check_edit() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if auth.uid() is not null then
    perform private.require_content_at_rest(new.id, 'NX423');
    perform private.check_scheduled_targets(new.id);
  end if;
  return null;
end;
$$;
comment on function private.tg_posts__check_edit() is 'AFTER UPDATE: edits of a scheduled post keep the rules.';
create trigger _300_check_edit after update of title, body on public.posts for each row
  when (old.title <> new.title or old.body <> new.body) execute function private.tg_posts__check_edit();

create function private.tg_posts__check_delete() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if auth.uid() is not null then
    perform private.require_content_at_rest(old.id, 'NX422');
  end if;
  return old;
end;
$$;
comment on function private.tg_posts__check_delete() is 'BEFORE DELETE: not while it is being published.';
create trigger _100_check_delete before delete on public.posts for each row
  execute function private.tg_posts__check_delete();

create function private.tg_post_media__check_edit() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_post uuid := case when tg_op = 'DELETE' then old.post_id else new.post_id end;
begin
  if auth.uid() is null then
    return null;
  end if;
  -- When the post itself is being deleted it is not seen here any more, and there is nothing to keep.
  perform from public.posts p where p.id = v_post for no key update;
  if found then
    perform private.require_content_at_rest(v_post, 'NX423');
    perform private.check_scheduled_targets(v_post);
  end if;
  return null;
end;
$$;
comment on function private.tg_post_media__check_edit() is
  'AFTER INSERT, UPDATE, DELETE: files of a scheduled post keep the rules.';
create trigger _300_check_edit after insert or update or delete on public.post_media for each row
  execute function private.tg_post_media__check_edit();

-- A target that waits for a retry of a thread is at rest, too: parts that are not out yet may still be changed.
create function private.tg_target_follow_ups__check_edit() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_target uuid := case when tg_op = 'DELETE' then old.target_id else new.target_id end;
  v_post uuid;
begin
  if auth.uid() is null then
    return null;
  end if;
  -- When the target itself is being deleted it is not seen here any more, and there is nothing to keep.
  select t.post_id into v_post from public.post_targets t where t.id = v_target;
  if found then
    perform private.require_content_at_rest(v_post, 'NX423');
    perform private.check_scheduled_targets(v_post);
  end if;
  return null;
end;
$$;
comment on function private.tg_target_follow_ups__check_edit() is
  'AFTER INSERT, UPDATE, DELETE: what follows a scheduled post keeps the rules.';
create trigger _300_check_edit after insert or update or delete on public.target_follow_ups for each row
  execute function private.tg_target_follow_ups__check_edit();

-- The row policy lets people edit drafts and scheduled targets only. The row is not updated a second time here: PostgreSQL
-- would check its foreign keys again, and wait for whoever deletes the post and waits for this target.
create function private.tg_post_targets__check_edit() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_at_rest(array(select n.id from new_rows n), 'NX423');
  perform private.check_problems(array(select n.id from new_rows n where n.state = 'scheduled' order by n.id), now());
  update private.queue q set expires_at = n.scheduled_at + n.tolerance
    from new_rows n where q.lane = 'publish' and q.subject_id = n.id;
  return null;
end;
$$;
comment on function private.tg_post_targets__check_edit() is
  'AFTER UPDATE by people: edits of a scheduled target keep the rules; keeps the queue true.';
create trigger _400_check_edit after update on public.post_targets
  referencing new table as new_rows for each statement
  when (current_user in ('anon', 'authenticated')) execute function private.tg_post_targets__check_edit();

-- Deleting never waits for a queue row, because it holds targets. One that is locked is left behind without a target; the
-- claim that holds it, or the next one, removes it.
create function private.tg_post_targets__forget() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from private.queue q where q.lane = 'publish' and q.subject_id = any (array(
    select d.subject_id from private.queue d join old_rows o on o.id = d.subject_id
    where d.lane = 'publish' for update of d skip locked));
  delete from public.target_events e using old_rows o where e.user_id = o.user_id and e.target_id = o.id;
  delete from private.publish_attempts a using old_rows o where a.target_id = o.id;
  return null;
end;
$$;
comment on function private.tg_post_targets__forget() is
  'AFTER DELETE: queue row, events and attempts go with their target (P7.3).';
create trigger _500_forget after delete on public.post_targets
  referencing old table as old_rows for each statement execute function private.tg_post_targets__forget();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_posts__check_edit', 'Reads the queue on behalf of a person who edits a post.'),
  ('private.tg_posts__check_delete', 'Reads the queue on behalf of a person who deletes a post.'),
  ('private.tg_post_media__check_edit', 'Reads the queue on behalf of a person who edits the files of a post.'),
  ('private.tg_target_follow_ups__check_edit', 'Reads the queue on behalf of a person who edits a thread.'),
  ('private.tg_post_targets__check_edit', 'Keeps the queue, which people cannot write, and judges with private rules.'),
  ('private.tg_post_targets__forget', 'Deletes queue rows, events and attempts, on which people have no rights.');
