-- private.is_sealed(record), private.sealed_key_id(record), private.sealed_from_text(text),
-- private.sealed_to_text(record), private.hash_from_hex(text, argument)
-- Why:     secrets reach the database sealed or not at all (P3.4). The database holds no key, but it knows the outside
--          of a record, and so refuses a token that somebody forgot to seal.
-- Caller:  constraints and bodies of this context.
-- Errors:  NX216 not base64, or not a sealed record.
-- Repeat:  safe; nothing is written.
-- Format:  "NXT", suite (1 byte), length of the key id (1 byte), key id, nonce 12, wrapped key 48, salt 32,
--          commitment 32, nonce 12, ciphertext with its 16-byte tag.

create function private.is_sealed(p_record bytea) returns boolean
language sql immutable security invoker set search_path = '' as $$
  select case
    when p_record is null then null
    when octet_length(p_record) < 158 or substring(p_record from 1 for 3) <> '\x4e5854'::bytea then false
    else get_byte(p_record, 3) = 1 and get_byte(p_record, 4) between 1 and 16
         and octet_length(p_record) >= 157 + get_byte(p_record, 4)
  end
$$;
comment on function private.is_sealed(bytea) is 'Whether a value has the outside of a sealed record of suite 1.';

create function private.sealed_key_id(p_record bytea) returns text
language sql immutable security invoker set search_path = '' as $$
  select case when private.is_sealed(p_record)
    then encode(substring(p_record from 6 for get_byte(p_record, 4)), 'escape') end
$$;
comment on function private.sealed_key_id(bytea) is 'The id of the key that a sealed record was wrapped with.';

create function private.sealed_from_text(p_value text) returns bytea
language plpgsql immutable security invoker set search_path = '' as $$
declare
  v_record bytea;
begin
  v_record := decode(p_value, 'base64');
  if not private.is_sealed(v_record) then
    perform private.fail('NX216');
  end if;
  return v_record;
exception when data_exception then
  perform private.fail('NX216');
  return null;
end;
$$;
comment on function private.sealed_from_text(text) is 'A sealed record from base64; NULL stays NULL.';

create function private.sealed_to_text(p_record bytea) returns text
language sql immutable security invoker set search_path = '' as $$
  select replace(encode(p_record, 'base64'), E'\n', '')
$$;
comment on function private.sealed_to_text(bytea) is 'A sealed record as base64 in one line.';

create function private.hash_from_hex(p_hash text, p_argument text) returns bytea
language plpgsql immutable security invoker set search_path = '' as $$
begin
  if coalesce(p_hash, '') !~ '^[0-9a-f]{64}$' then
    perform private.fail('NX002', p_detail := p_argument);
  end if;
  return decode(p_hash, 'hex');
end;
$$;
comment on function private.hash_from_hex(text, text) is 'A SHA-256 digest from its 64 lower-case hex digits.';
