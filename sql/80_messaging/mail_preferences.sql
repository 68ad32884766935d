-- public.mail_preferences; public.list_mail_choices(), public.choose_mail(category, is_wanted);
-- private.set_mail_preference(…), private.mail_is_wanted(user, category)
-- Why:     every mail that is not essential can be switched off, at once; what is essential cannot, by nobody: a row
--          about a mandatory category breaks a constraint (P7.6).
-- Caller:  people, in every state of the account; the unsubscribe link; bounces and complaints. DEFINER: people may
--          not write the table.
-- Errors:  NX001 no live session. NX801 mandatory. NX802 needs a consent. NX803 no such category.
-- Repeat:  safe.
-- Note:    marketing is switched on by give_consent() alone; context privacy keeps this table and the log of consents
--          equal (P2.4).

create table public.mail_preferences (
  user_id uuid not null references auth.users (id) on delete cascade,
  category_id text not null,
  is_mandatory boolean not null default false,
  is_wanted boolean not null,
  method text not null,
  changed_at timestamptz not null,
  primary key (user_id, category_id),
  foreign key (category_id, is_mandatory) references public.mail_categories (id, is_mandatory),
  constraint mandatory_mail_cannot_be_switched_off check (not is_mandatory), -- P7.6
  constraint method_is_snake_case check (method ~ '^[a-z][a-z0-9_]{2,40}$')
);
create index mail_preferences_category_id_idx on public.mail_preferences (category_id, is_mandatory);
comment on table public.mail_preferences is 'What a person chose about mails; without a row the default of the category holds.';
comment on column public.mail_preferences.is_mandatory is 'Always false: together with the foreign key it keeps out categories that must stay on.';
comment on column public.mail_preferences.is_wanted is 'Whether such mails are sent.';
comment on column public.mail_preferences.method is 'Where it was chosen: settings, unsubscribe_link, consent, complaint.';
comment on column public.mail_preferences.changed_at is 'When, by the clock of the database.';

-- An address that does not take mail, or whose owner called it spam: nothing optional goes there any more.
create table private.mail_suppressions (
  user_id uuid primary key references auth.users (id) on delete cascade,
  address_hash text not null,
  reason text not null,
  at timestamptz not null,
  constraint hash_is_sha_256 check (address_hash ~ '^[0-9a-f]{64}$'),
  constraint reason_is_known check (reason in ('bounced', 'complained'))
);
comment on table private.mail_suppressions is 'Addresses that bounced or complained; another address starts afresh.';

create function private.address_hash(p_address text) returns text
language sql immutable security invoker set search_path = '' as $$
  select encode(sha256(convert_to(lower(btrim(p_address)), 'UTF8')), 'hex')
$$;
comment on function private.address_hash(text) is 'SHA-256 of a mail address, however it is spelled.';

create function private.mail_is_wanted(p_user uuid, p_category text) returns boolean
language sql stable security invoker set search_path = '' as $$
  select coalesce((
    select c.is_mandatory or coalesce(p.is_wanted, c.is_on_by_default)
      and exists (select from private.accounts a where a.user_id = p_user and a.state = 'active')
      and not exists (
        select from private.mail_suppressions s join auth.users u on u.id = s.user_id
        where s.user_id = p_user and s.address_hash = private.address_hash(u.email))
    from public.mail_categories c
    left join public.mail_preferences p on p.user_id = p_user and p.category_id = c.id
    where c.id = p_category), false)
$$;
comment on function private.mail_is_wanted(uuid, text) is 'Whether mail of this category may go to this person now; asked right before it goes.';

create function private.set_mail_preference(
  p_user uuid, p_category text, p_is_wanted boolean, p_method text, p_now timestamptz default now()
) returns public.mail_preferences
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_row public.mail_preferences;
begin
  insert into public.mail_preferences as p (user_id, category_id, is_wanted, method, changed_at)
    values (p_user, p_category, p_is_wanted, p_method, p_now)
    on conflict (user_id, category_id) do update
      set is_wanted = excluded.is_wanted, method = excluded.method, changed_at = excluded.changed_at
      where p.is_wanted <> excluded.is_wanted;
  select p.* into v_row from public.mail_preferences p where p.user_id = p_user and p.category_id = p_category;
  return v_row;
end;
$$;
comment on function private.set_mail_preference(uuid, text, boolean, text, timestamptz) is
  'Keeps a choice; one that stands already stays as it is.';

create function private.choose_mail(p_category text, p_is_wanted boolean, p_now timestamptz default now())
returns public.mail_preferences
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.live_person(p_now);
  v_category public.mail_categories;
begin
  select * into v_category from public.mail_categories c where c.id = p_category;
  if not found then
    perform private.fail('NX803', p_detail := left(p_category, 40));
  elsif p_is_wanted is null then
    perform private.fail('NX002', p_detail := 'p_is_wanted');
  elsif v_category.is_mandatory then
    perform private.fail('NX801', p_detail := p_category);
  elsif v_category.needs_consent and p_is_wanted and not private.mail_is_wanted(v_user, p_category) then
    perform private.fail('NX802', p_detail := p_category);
  end if;
  return private.set_mail_preference(v_user, p_category, p_is_wanted, 'settings', p_now);
end;
$$;
comment on function private.choose_mail(text, boolean, timestamptz) is 'Body of public.choose_mail().';

create function public.choose_mail(p_category text, p_is_wanted boolean) returns public.mail_preferences
language sql volatile security invoker set search_path = '' as $$
  select private.choose_mail(p_category, p_is_wanted)
$$;
comment on function public.choose_mail(text, boolean) is
  'Switches a kind of mail on or off; holds from this commit on. Marketing is switched on by give_consent() (P7.6).';

create function private.list_mail_choices(p_now timestamptz default now())
returns table (id text, description text, is_mandatory boolean, needs_consent boolean, is_wanted boolean, changed_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user uuid := private.live_person(p_now);
begin
  return query
    select c.id, c.description, c.is_mandatory, c.needs_consent, coalesce(p.is_wanted, c.is_on_by_default), p.changed_at
    from public.mail_categories c
    left join public.mail_preferences p on p.user_id = v_user and p.category_id = c.id
    order by not c.is_mandatory, c.id;
end;
$$;
comment on function private.list_mail_choices(timestamptz) is 'Body of public.list_mail_choices().';

create function public.list_mail_choices()
returns table (id text, description text, is_mandatory boolean, needs_consent boolean, is_wanted boolean, changed_at timestamptz)
language sql volatile security invoker set search_path = '' as $$
  select c.id, c.description, c.is_mandatory, c.needs_consent, c.is_wanted, c.changed_at from private.list_mail_choices() c
$$;
comment on function public.list_mail_choices() is 'Every kind of mail with what holds for the caller, chosen or by default.';

insert into private.definer_ledger (function_name, reason) values
  ('private.choose_mail', 'Writes mail_preferences, on which people have no rights.'),
  ('private.list_mail_choices', 'Works for its person whatever the state of the account.');
