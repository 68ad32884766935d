-- public.post_imports, list_import_columns(), types of an import
-- Why:     a row of a plan is imported once: its key remembers which post it became, however often the file comes again.
-- Caller:  people read; import_posts() and import_posts_csv() write.
-- Repeat:  see import_posts.sql.

create table public.post_imports (
  user_id uuid not null,
  key text not null,
  post_id uuid not null,
  created_at timestamptz not null,
  primary key (user_id, key),
  foreign key (post_id, user_id) references public.posts (id, user_id) on delete cascade,
  constraint key_is_1_to_200_long check (length(key) between 1 and 200)
);
create index post_imports_post_id_idx on public.post_imports (post_id, user_id);
comment on table public.post_imports is 'Keys of imported rows. One goes with its post, and can then be imported again.';
comment on column public.post_imports.key is 'As the person gave it in the file; unique among the person''s imports.';

create type private.import_row as (
  place int,
  key text,
  title text,
  body text,
  accounts text,
  at_text text,
  zone text,
  media text,
  options jsonb,
  post_id uuid,
  at timestamptz,
  adjusted text,
  is_queued boolean,
  flaw text
);
comment on type private.import_row is
  'A row as read. place: its number in the file. is_queued: it goes into the next free slots. flaw: columns that cannot be '
  'read, separated by blanks.';

create type private.import_problem as (place int, column_name text, code text, severity text, message text);
comment on type private.import_problem is
  'What is wrong with one column of one row. message: NULL where import_message() has the words.';

create function private.import_columns()
returns table (name text, is_required boolean, description text, example text)
language sql immutable security invoker set search_path = '' as $$
  values
    ('key', false, 'Your own name of the row. A row whose key was imported before is not imported again.', 'spring-01'),
    ('title', false, 'Title, at most 300 characters.', 'First light'),
    ('text', false, 'What is to be published; may be empty where there are media.', 'First light over the harbour.'),
    ('accounts', false, 'Where to: platform, platform:handle or id of the connection, separated by |.', 'x|linkedin:mira'),
    ('at', false, 'When: YYYY-MM-DD HH:MM in the zone of the row, or with Z or an offset such as +02:00; or the word queue '
                  'for the next free slots. Empty: a draft.', '2027-03-01 09:00'),
    ('time_zone', false, 'IANA name. Empty: the zone of your preferences.', 'Europe/Berlin'),
    ('media', false, 'Uploaded files: paths inside your folder or ids, separated by |, in their order.', 'harbour.jpg'),
    ('options', false, 'JSON object of options by platform.', '{"x": {"reply_settings": "following"}}')
$$;
comment on function private.import_columns() is 'Body of list_import_columns(), and what a header may hold.';

create function public.list_import_columns()
returns table (name text, is_required boolean, description text, example text)
language sql immutable security invoker set search_path = '' as $$
  select * from private.import_columns()
$$;
comment on function public.list_import_columns() is
  'The columns that import_posts_csv() knows, in any order; a file needs only those that it uses.';

create function private.import_message(p_code text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case p_code
    when 'unreadable' then 'This cannot be read'
    when 'encoding' then 'There are damaged characters; save the file in UTF-8'
    when 'too_long' then 'This is too long'
    when 'too_many_fields' then 'The row has more fields than the header'
    when 'key_repeated' then 'The key stands in another row, too'
    when 'time_past' then 'The time is past'
    when 'time_zone_unknown' then 'There is no such time zone'
    when 'time_moved' then 'The clock skips this time on that day; it moves forward'
    when 'time_twice' then 'The clock shows this time twice on that day; the earlier one is taken'
    when 'accounts_required' then 'Without an account there is nothing to schedule'
    when 'account_unknown' then 'You have no such account'
    when 'account_ambiguous' then 'You have several accounts there; add the handle'
    when 'account_repeated' then 'The same account stands here twice'
    when 'account_not_usable' then 'This account does not allow publishing; connect it again'
    when 'media_unknown' then 'There is no such file of yours'
    when 'no_free_slot' then 'This account has no free posting slot'
    when 'content_required' then 'There is neither a text nor a file'
    else private.warning_message(p_code) end
$$;
comment on function private.import_message(text) is 'A problem of a row, in words for people.';
