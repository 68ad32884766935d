-- begin_connection(platform, features, redirect_to, reconnect) -> text
-- Why:     starts the way to a platform's consent page. Returns a link to the worker with a one-time ticket, because
--          the browser must get its cookie from there; no token ever passes the front end (P1.12).
-- Caller:  authenticated, for itself. DEFINER body: oauth_flows is in private.
-- Errors:  NX001, NX11x account. NX201 platform. NX202 feature. NX203 return address. NX204 connection to reconnect.
--          NX205 no worker has announced its address. NX206 too many open attempts.
-- Repeat:  each call is a new attempt; unfinished ones expire after ten minutes.

create function private.begin_connection(
  p_platform text, p_features text[], p_redirect_to text, p_reconnect uuid default null,
  p_now timestamptz default now()
) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_ticket text := encode(extensions.gen_random_bytes(32), 'hex');
  v_features text[];
begin
  v_features := private.check_connection_request(v_user, p_platform, p_features, p_redirect_to, p_reconnect, p_now);
  insert into private.oauth_flows (user_id, platform_id, features, scopes, redirect_to, ticket_hash, ticket_expires_at,
                                   created_at, expires_at, reconnect_connection_id)
  values (v_user, p_platform, v_features, private.required_scopes(p_platform, v_features), p_redirect_to,
          sha256(convert_to(v_ticket, 'UTF8')), p_now + interval '2 minutes', p_now, p_now + interval '10 minutes',
          p_reconnect);
  return format('%s/oauth/%s/start?ticket=%s', private.setting('public_url') #>> '{}', p_platform, v_ticket);
end;
$$;
comment on function private.begin_connection(text, text[], text, uuid, timestamptz) is 'Body of begin_connection().';

create function private.check_connection_request(
  p_user uuid, p_platform text, p_features text[], p_redirect_to text, p_reconnect uuid, p_now timestamptz
) returns text[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_features text[] := array(select distinct f from unnest(p_features || array['profile']) f order by f);
begin
  if not exists (select from public.platforms where id = p_platform) then
    perform private.fail('NX201');
  end if;
  if cardinality(v_features) <> (select count(*) from public.platform_features f
                                 where f.platform_id = p_platform and f.feature = any (v_features)) then
    perform private.fail('NX202');
  end if;
  if not exists (select from private.redirect_urls where url = p_redirect_to) then
    perform private.fail('NX203');
  end if;
  if p_reconnect is not null and not exists (
       select from public.connections where id = p_reconnect and user_id = p_user and platform_id = p_platform) then
    perform private.fail('NX204');
  end if;
  if private.setting('public_url') is null then
    perform private.fail('NX205');
  end if;
  if (select count(*) from private.oauth_flows where user_id = p_user and expires_at > p_now)
     + (select count(*) from private.pending_connections
        where user_id = p_user and expires_at > p_now and confirmed_at is null) >= 10 then
    perform private.fail('NX206');
  end if;
  return v_features;
end;
$$;
comment on function private.check_connection_request(uuid, text, text[], text, uuid, timestamptz) is
  'Refuses what cannot be connected; returns the features with profile added, sorted.';

create function public.begin_connection(
  p_platform text, p_features text[], p_redirect_to text, p_reconnect uuid default null
) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.begin_connection(p_platform, p_features, p_redirect_to, p_reconnect)
$$;
comment on function public.begin_connection(text, text[], text, uuid) is
  'Starts connecting an account: open the returned link within two minutes. `p_features` are rows of '
  'platform_features; `p_redirect_to` must be announced by the service; `p_reconnect` renews an existing connection.';

insert into private.definer_ledger (function_name, reason) values
  ('private.begin_connection', 'Writes oauth_flows, on which no role of the API has rights.');
