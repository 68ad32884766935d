-- public.media, register_media(object_name, alt_text, width, height, duration_ms) -> media
-- Why:     what the platforms' rules need to know about an uploaded file. Type and size come from the storage service,
--          never from the caller; files are not overwritten, so they stay true.
-- Caller:  authenticated, for its own files. DEFINER body: people may not insert rows themselves.
-- Errors:  NX001, NX11x account. NX301 no such file of the caller. NX302 a type that cannot be used.
-- Repeat:  safe; the row that is there is returned.

create type public.media_kind as enum ('image', 'video', 'document');
comment on type public.media_kind is 'image, video or document (PDF).';

create table public.media (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  bucket_id text not null default 'media',
  object_name text not null unique,
  kind public.media_kind not null,
  mime_type text not null,
  size_bytes bigint not null,
  width int,
  height int,
  duration_ms int,
  alt_text text,
  created_at timestamptz not null default now(),
  unique (id, user_id),
  constraint object_is_in_the_folder_of_its_person check (object_name like user_id::text || '/%'), -- P3.3
  constraint object_name_is_safe check (private.object_name_is_safe(object_name)), -- P3.3
  constraint size_is_positive check (size_bytes > 0),
  constraint width_and_height_are_positive check (width > 0 and height > 0),
  constraint duration_is_positive check (duration_ms > 0),
  constraint alt_text_is_at_most_2000_long check (length(alt_text) <= 2000)
);
create index media_user_id_created_at_idx on public.media (user_id, created_at desc, id);
comment on table public.media is 'Uploaded files that posts can carry.';
comment on column public.media.bucket_id is 'The bucket that holds the file.';
comment on column public.media.kind is 'Picture, video or document, after its MIME type.';
comment on column public.media.object_name is 'Path in the bucket: <user id>/<any path>.';
comment on column public.media.mime_type is 'As the storage service determined it.';
comment on column public.media.size_bytes is 'In bytes, as the storage service determined it.';
comment on column public.media.width is 'In pixels, where known.';
comment on column public.media.height is 'In pixels, where known.';
comment on column public.media.duration_ms is 'In milliseconds; for videos, where known.';
comment on column public.media.alt_text is 'Description for people who cannot see it; sent along where the platform takes it.';

create trigger _100_protect before update on public.media for each row
  execute function private.tg_protect_columns('id', 'user_id', 'bucket_id', 'object_name', 'kind', 'mime_type',
    'size_bytes', 'width', 'height', 'duration_ms', 'created_at');

create function private.media_kind(p_mime_type text) returns public.media_kind
language sql immutable security invoker set search_path = '' as $$
  select case when p_mime_type like 'image/%' then 'image'::public.media_kind
              when p_mime_type like 'video/%' then 'video' when p_mime_type = 'application/pdf' then 'document' end
$$;
comment on function private.media_kind(text) is 'What kind of file a MIME type stands for; NULL: none that can be used.';

create function private.register_media(
  p_object_name text, p_alt_text text default null, p_width int default null, p_height int default null,
  p_duration_ms int default null, p_now timestamptz default now()
) returns public.media
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_file jsonb;
  v_media public.media;
begin
  select o.metadata into v_file from storage.objects o
    where o.bucket_id = 'media' and o.name = p_object_name and o.name like v_user::text || '/%'
      and private.object_name_is_safe(o.name);
  if not found or coalesce((v_file ->> 'size')::bigint, 0) <= 0 then
    perform private.fail('NX301');
  elsif private.media_kind(v_file ->> 'mimetype') is null then
    perform private.fail('NX302');
  end if;
  insert into public.media (user_id, object_name, kind, mime_type, size_bytes, width, height, duration_ms, alt_text,
                            created_at)
  values (v_user, p_object_name, private.media_kind(v_file ->> 'mimetype'), v_file ->> 'mimetype',
          (v_file ->> 'size')::bigint, p_width, p_height, p_duration_ms, p_alt_text, p_now)
  on conflict (object_name) do nothing
  returning * into v_media;
  if not found then
    select * into v_media from public.media where object_name = p_object_name;
  end if;
  return v_media;
end;
$$;
comment on function private.register_media(text, text, int, int, int, timestamptz) is 'Body of register_media().';

create function public.register_media(
  p_object_name text, p_alt_text text default null, p_width int default null, p_height int default null,
  p_duration_ms int default null
) returns public.media
language sql volatile security invoker set search_path = '' as $$
  select private.register_media(p_object_name, p_alt_text, p_width, p_height, p_duration_ms)
$$;
comment on function public.register_media(text, text, int, int, int) is
  'Makes an uploaded file of bucket media usable in posts. Width and height in pixels and '
  'the length of a video in milliseconds, if the front end knows them: limits of platforms are checked with them.';

insert into private.definer_ledger (function_name, reason) values
  ('private.register_media', 'Type and size must come from storage.objects, so people cannot insert rows themselves.');
