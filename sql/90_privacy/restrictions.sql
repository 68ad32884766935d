-- private.restrict_processing(person); public.lift_restriction()
-- Why:     whoever has the processing of their data restricted (Article 18 GDPR) gets it kept, and nothing else done with
--          it: nothing is published, made, renewed, counted or mailed, and no cleanup deletes it, until they lift it (P7.7).
--          What a law or a shorter promise wants goes on: security, invoices, addresses after a day, revoked tokens.
-- Caller:  private.use_right() restricts; people lift it, in every state of the account. DEFINER: accounts are in private.
-- Errors:  NX001 no live session.
-- Repeat:  safe: what is restricted, or lifted, already stays as it is.
-- Locks:   connections, queue rows, targets, the account; as lock_down() in erasures.sql.

create function private.restrict_processing(p_person uuid, p_now timestamptz default now()) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if exists (select from private.accounts a where a.user_id = p_person and a.restricted_at is not null) then
    return false;
  end if;
  perform private.take_back_scheduled(p_person, p_now);
  update private.accounts a
    set restricted_at = p_now, state = case a.state when 'locked' then 'locked' else 'restricted' end
    where a.user_id = p_person and a.restricted_at is null;
  if not found then
    return false;
  end if;
  perform private.dequeue('refresh', v.connection_id) from private.token_vault v where v.user_id = p_person;
  perform private.note_held_people();
  perform private.audit('processing_restricted', 'account', p_person, p_now := p_now);
  return true;
end;
$$;
comment on function private.restrict_processing(uuid, timestamptz) is
  'Nobody works with this person''s data from this commit on; false: that was so already.';

create function private.lift_restriction(p_now timestamptz default now()) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
  v_state text;
begin
  update private.accounts a set restricted_at = null,
      state = case a.state when 'locked' then 'locked' else private.account_state(a.birth_date, a.guardian_consent_at, p_now) end
    where a.user_id = v_person and a.restricted_at is not null returning a.state into v_state;
  if not found then
    return (select a.state from private.accounts a where a.user_id = v_person);
  end if;
  perform private.schedule_refresh(v, p_now) from private.token_vault v where v.user_id = v_person;
  perform private.note_held_people();
  perform private.audit('restriction_lifted', 'account', v_person, p_now := p_now);
  return v_state;
end;
$$;
comment on function private.lift_restriction(timestamptz) is 'Body of public.lift_restriction().';

create function public.lift_restriction() returns text
language sql volatile security invoker set search_path = '' as $$
  select private.lift_restriction()
$$;
comment on function public.lift_restriction() is
  'Ends the restriction that request_right(''restrict'') began; returns the state of the account. Posts stay unscheduled.';

insert into private.definer_ledger (function_name, reason) values
  ('private.lift_restriction', 'Changes the account of the caller and plans renewals of their tokens.');
