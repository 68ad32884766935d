-- worker.tokens_to_rewrap(…), worker.rewrap_token(…), worker.count_key_use()
-- Why:     a key is retired only when nothing is wrapped by it any more. Rewrapping changes the wrapping of one record,
--          never its content, and replaces exactly the bytes that were read.
-- Caller:  service_role (`nexora keys rotate`). DEFINER bodies: vault, outbox and flows are in private.
-- Errors:  NX002 unknown table or field. NX216 not sealed.
-- Repeat:  safe: false when the record changed in the meantime; it is then wrapped by the primary key already.
-- Locks:   one row.

create function private.sealed_records()
returns table (table_name text, row_id uuid, user_id uuid, connection_id uuid, platform_id text, generation int,
               field text, sealed bytea)
language sql stable security invoker set search_path = '' as $$
  select 'token_vault', v.connection_id, v.user_id, v.connection_id, c.platform_id, v.generation, f.field, f.sealed
  from private.token_vault v
  join public.connections c on c.id = v.connection_id
  cross join lateral (values ('access', v.sealed_access), ('refresh', v.sealed_refresh),
                             ('revocation', v.sealed_revocation)) f (field, sealed)
  where f.sealed is not null
  union all
  select 'revocation_outbox', o.id, o.user_id, o.connection_id, o.platform_id, o.generation, 'revocation', o.sealed_token
  from private.revocation_outbox o
  union all
  select 'oauth_flows', w.id, w.user_id, null, w.platform_id, null, 'verifier', w.sealed_verifier
  from private.oauth_flows w where w.sealed_verifier is not null
  union all
  select 'pending_connections', p.id, p.user_id, p.connection_id, p.platform_id, p.generation, f.field, f.sealed
  from private.pending_connections p
  cross join lateral (values ('access', p.sealed_access), ('refresh', p.sealed_refresh),
                             ('revocation', p.sealed_revocation)) f (field, sealed)
  where f.sealed is not null
$$;
comment on function private.sealed_records() is 'Every sealed record in the database, one row each.';

create function private.tokens_to_rewrap(p_key_id text, p_limit int)
returns table (table_name text, row_id uuid, user_id uuid, connection_id uuid, platform_id text, generation int,
               field text, sealed text)
language sql stable security definer set search_path = '' as $$
  select r.table_name, r.row_id, r.user_id, r.connection_id, r.platform_id, r.generation, r.field,
         private.sealed_to_text(r.sealed)
  from private.sealed_records() r
  where private.sealed_key_id(r.sealed) = p_key_id and r.table_name not in ('oauth_flows', 'pending_connections')
  limit least(greatest(p_limit, 0), 1000)
$$;
comment on function private.tokens_to_rewrap(text, int) is 'Body of worker.tokens_to_rewrap().';

create function private.rewrap_token(p_table text, p_row_id uuid, p_field text, p_old text, p_new text)
returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_old bytea := private.sealed_from_text(p_old);
  v_new bytea := private.sealed_from_text(p_new);
begin
  case p_table || '.' || p_field
    when 'token_vault.access' then
      update private.token_vault set sealed_access = v_new where connection_id = p_row_id and sealed_access = v_old;
    when 'token_vault.refresh' then
      update private.token_vault set sealed_refresh = v_new where connection_id = p_row_id and sealed_refresh = v_old;
    when 'token_vault.revocation' then
      update private.token_vault set sealed_revocation = v_new
        where connection_id = p_row_id and sealed_revocation = v_old;
    when 'revocation_outbox.revocation' then
      update private.revocation_outbox set sealed_token = v_new where id = p_row_id and sealed_token = v_old;
      return found;
    else
      perform private.fail('NX002', p_detail := 'p_table, p_field');
  end case;
  if found then
    update private.token_vault
      set key_ids = array(select distinct private.sealed_key_id(r)
                          from unnest(array[sealed_access, sealed_refresh, sealed_revocation]) r
                          where r is not null order by 1)
      where connection_id = p_row_id;
    return true;
  end if;
  return false;
end;
$$;
comment on function private.rewrap_token(text, uuid, text, text, text) is 'Body of worker.rewrap_token().';

create function private.count_key_use() returns table (key_id text, uses bigint)
language sql stable security definer set search_path = '' as $$
  select private.sealed_key_id(r.sealed), count(*) from private.sealed_records() r group by 1 order by 1
$$;
comment on function private.count_key_use() is 'Body of worker.count_key_use().';

create function worker.tokens_to_rewrap(p_key_id text, p_limit int)
returns table (table_name text, row_id uuid, user_id uuid, connection_id uuid, platform_id text, generation int,
               field text, sealed text)
language sql stable security invoker set search_path = '' as $$
  select * from private.tokens_to_rewrap(p_key_id, p_limit)
$$;
comment on function worker.tokens_to_rewrap(text, int) is
  'Records (base64) that this key wraps, at most 1,000. Verifiers of running attempts are left out: they die in minutes.';

create function worker.rewrap_token(p_table text, p_row_id uuid, p_field text, p_old text, p_new text)
returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.rewrap_token(p_table, p_row_id, p_field, p_old, p_new)
$$;
comment on function worker.rewrap_token(text, uuid, text, text, text) is
  'Puts a rewrapped record in place of the one that was read. false: it has changed or gone since.';

create function worker.count_key_use() returns table (key_id text, uses bigint)
language sql stable security invoker set search_path = '' as $$
  select * from private.count_key_use()
$$;
comment on function worker.count_key_use() is 'How many sealed records each key still wraps.';

insert into private.definer_ledger (function_name, reason) values
  ('private.tokens_to_rewrap', 'Reads sealed records, on whose tables no role of the API has rights.'),
  ('private.rewrap_token', 'Replaces sealed records, on whose tables no role of the API has rights.'),
  ('private.count_key_use', 'Reads sealed records, on whose tables no role of the API has rights.');
