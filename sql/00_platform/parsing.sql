-- private.uuid_or_null(text), private.int_or_null(text), private.number_or_null(text), private.instant_or_null(text)
-- Why:     values inside JSON that workers hand over: one that is malformed must not undo what the others bring.
-- Caller:  bodies in schema private.
-- Errors:  none: what cannot be read is NULL.
-- Repeat:  safe.

create function private.uuid_or_null(p_text text) returns uuid
language sql immutable security invoker set search_path = '' as $$
  select case when p_text ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' then p_text::uuid end
$$;
comment on function private.uuid_or_null(text) is 'A UUID, or NULL where the text is none.';

create function private.int_or_null(p_text text) returns int
language sql immutable security invoker set search_path = '' as $$
  select case when p_text ~ '^[0-9]{1,9}(\.0+)?$' then p_text::numeric::int end
$$;
comment on function private.int_or_null(text) is 'A whole number from 0 up, or NULL where the text is none.';

create function private.number_or_null(p_text text) returns numeric
language sql immutable security invoker set search_path = '' as $$
  select case when p_text ~ '^[0-9]{1,9}(\.[0-9]{1,15})?$' then p_text::numeric end
$$;
comment on function private.number_or_null(text) is 'A number from 0 up in plain digits, or NULL where the text is none.';

create function private.instant_or_null(p_text text) returns timestamptz
language plpgsql stable security invoker set search_path = '' as $$
begin
  return case when p_text ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$' then p_text::timestamptz end;
exception when datetime_field_overflow then
  return null;
end;
$$;
comment on function private.instant_or_null(text) is 'An ISO 8601 instant with its zone, or NULL where the text is none.';
