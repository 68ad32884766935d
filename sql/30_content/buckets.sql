-- Buckets media and avatars; private.object_name_is_safe(name)
-- Why:     uploads are private and reached through signed URLs alone (P3.3). The first folder of a name is the person's
--          id, which means nothing if the name can climb out of it again.
-- Caller:  storage policies.
-- Repeat:  safe: existing buckets are made private and get the limits below.

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('media', 'media', false, 5368709120, array['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'video/mp4',
                                             'video/quicktime', 'application/pdf']),
  ('avatars', 'avatars', false, 2097152, array['image/jpeg', 'image/png', 'image/webp'])
on conflict (id) do update set
  public = excluded.public, file_size_limit = excluded.file_size_limit, allowed_mime_types = excluded.allowed_mime_types;

create function private.object_name_is_safe(p_name text) returns boolean
language sql immutable security invoker set search_path = '' as $$
  select p_name is not null and length(p_name) <= 512
    and p_name ~ '^[^/]+/.*[^/]$' and p_name !~ '(^|/)\.{1,2}(/|$)'
    and position('..' in p_name) = 0 and position('//' in p_name) = 0 and position('\' in p_name) = 0
    and p_name !~* '%(2e|2f|5c|00)' and p_name !~ '[[:cntrl:]]'
$$;
comment on function private.object_name_is_safe(text) is
  'Whether an object name stays in its folder: no "..", no empty part, no backslash, nothing encoded twice.'; -- P3.3
