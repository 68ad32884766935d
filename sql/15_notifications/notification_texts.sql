-- public.notification_texts, private.notification_words(kind, code)
-- Why:     each notice in plain words with what to do, in one place for the product and for mails.
-- Caller:  read by people (view notices) and by private.notify(); each context adds the rows of its kinds.
-- Errors:  none.
-- Repeat:  no; reference rows are loaded once by the migration.

create table public.notification_texts (
  kind text not null,
  code text not null default '',
  title text not null,
  advice text not null,
  is_mailed boolean not null,
  primary key (kind, code),
  constraint title_is_short check (length(title) between 10 and 100),
  constraint advice_is_given check (length(advice) between 10 and 200)
);
comment on table public.notification_texts is 'What notices say, by kind and, where it says more, code.';
comment on column public.notification_texts.kind is 'As in notifications.';
comment on column public.notification_texts.code is 'As in notifications; empty for every other code of the kind.';
comment on column public.notification_texts.title is 'What happened.';
comment on column public.notification_texts.advice is 'What to do.';
comment on column public.notification_texts.is_mailed is 'Whether it is worth a mail, for people who want such mails.';

create function private.notification_words(p_kind text, p_code text) returns public.notification_texts
language sql stable security invoker set search_path = '' as $$
  select t from public.notification_texts t
  where t.kind = p_kind and t.code in (coalesce(p_code, ''), '') order by t.code desc limit 1
$$;
comment on function private.notification_words(text, text) is 'The words that fit best; an empty row where there are none.';
