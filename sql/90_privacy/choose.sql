-- public.list_purposes(), public.give_consent(purpose, version, method), public.withdraw_consent(purpose)
-- Why:     the person sees what their data is used for, on which basis, and changes what can be changed; taking back is
--          as easy as giving, and holds from that commit on (P7.5, P10.1).
-- Caller:  people, in every state of the account. DEFINER: the log is written here alone.
-- Errors:  NX001 no live session. NX901 nothing to choose. NX902 another version of the text.
-- Repeat:  safe: the choice that stands is returned.

create function private.list_purposes(p_now timestamptz default now())
returns table (
  id text, description text, lawful_basis text, may_be_refused boolean, is_allowed boolean, text_version int, body text
)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_person uuid := private.live_person(p_now);
begin
  return query
    select p.id, p.description, p.lawful_basis, p.may_be_refused, private.may_process(v_person, p.id),
           t.version, t.body
    from private.processing_purposes p
    left join lateral (
      select x.version, x.body from private.consent_texts x where x.purpose_id = p.id and x.valid_from <= p_now
      order by x.version desc limit 1) t on true
    order by p.id;
end;
$$;
comment on function private.list_purposes(timestamptz) is 'Body of public.list_purposes().';

-- The log comes first: what the switch's own trigger would write stands by then.
create function private.set_choice(p_person uuid, p_purpose text, p_given boolean, p_method text, p_now timestamptz)
returns public.consents
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_row public.consents := private.log_choice(p_person, p_purpose, p_given, p_method, p_now);
begin
  if p_purpose = 'product_improvement' then
    update public.preferences f set product_analytics = p_given
      where f.user_id = p_person and f.product_analytics <> p_given;
  end if;
  return v_row;
end;
$$;
comment on function private.set_choice(uuid, text, boolean, text, timestamptz) is
  'Writes a choice into the log, and has the switches follow.';

create function private.choose(
  p_purpose text, p_given boolean, p_version int default null, p_method text default 'settings',
  p_now timestamptz default now()
) returns public.consents
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
  v_version int;
begin
  if not exists (select from private.processing_purposes p where p.id = p_purpose and p.may_be_refused) then
    perform private.fail('NX901', p_detail := left(p_purpose, 60));
  elsif coalesce(p_method, '') !~ '^[a-z][a-z0-9_]{2,40}$' then
    perform private.fail('NX002', p_detail := 'p_method');
  end if;
  select max(t.version) into v_version from private.consent_texts t
    where t.purpose_id = p_purpose and t.valid_from <= p_now;
  if p_given and p_version is distinct from v_version then
    perform private.fail('NX902');
  end if;
  return private.set_choice(v_person, p_purpose, p_given, p_method, p_now);
end;
$$;
comment on function private.choose(text, boolean, int, text, timestamptz) is
  'Body of public.give_consent() and public.withdraw_consent().';

create function public.list_purposes()
returns table (
  id text, description text, lawful_basis text, may_be_refused boolean, is_allowed boolean, text_version int, body text
)
language sql volatile security invoker set search_path = '' as $$
  select p.id, p.description, p.lawful_basis, p.may_be_refused, p.is_allowed, p.text_version, p.body
  from private.list_purposes() p
$$;
comment on function public.list_purposes() is
  'What data of the caller is used for, on which lawful basis, whether that is allowed now, and the words of the choice.';

create function public.give_consent(p_purpose text, p_version int, p_method text default 'settings')
returns public.consents
language sql volatile security invoker set search_path = '' as $$
  select private.choose(p_purpose, true, p_version, p_method)
$$;
comment on function public.give_consent(text, int, text) is
  'Agrees to a purpose, in the words of that version of its text; returns the row of the log.';

create function public.withdraw_consent(p_purpose text) returns public.consents
language sql volatile security invoker set search_path = '' as $$
  select private.choose(p_purpose, false)
$$;
comment on function public.withdraw_consent(text) is
  'Refuses a purpose, or takes consent back; holds from this commit on. Returns the row of the log (P7.5).';

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_consents__append_only', 'Raises a registered error for whoever tries, also for people.'),
  ('private.tg_preferences__log_choice', 'Writes the log of consents for a person who uses the switch.'),
  ('private.list_purposes', 'Reads purposes, texts and the log for its person.'),
  ('private.choose', 'Writes the log of consents, which nobody may write directly.');
