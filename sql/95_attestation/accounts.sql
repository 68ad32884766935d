-- Checks of section 6: social accounts (P6.*)
-- Why, Caller, Errors, Repeat: as in collection.sql.

create function private.foreign_scopes(p_platforms text[], p_allowed text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  select private.fault_list('scope that the policy does not allow', array(
      select distinct f.platform_id || ' ' || s from public.platform_features f, unnest(f.scopes) s
      where f.platform_id = any (p_platforms) and s <> all (p_allowed)))
    || private.fault((select count(*) from private.oauth_flows o where o.platform_id = any (p_platforms) and not o.scopes <@ p_allowed),
                     'attempts that ask for more than is allowed')
$$;
comment on function private.foreign_scopes(text[], text[]) is 'What is asked of these platforms and may not be.';

create function private.asked_scopes(p_platforms text[]) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'scopes', (select jsonb_agg(distinct s order by s) from public.platform_features f, unnest(f.scopes) s where f.platform_id = any (p_platforms)),
    'connections', (select count(*) from public.connections c where c.platform_id = any (p_platforms)))
$$;
comment on function private.asked_scopes(text[]) is 'Evidence: the scopes that can be asked for, and how many accounts are connected.';

create function private.attest_youtube_scopes(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(private.foreign_scopes(array['youtube'], array['https://www.googleapis.com/auth/youtube.readonly',
      'https://www.googleapis.com/auth/youtube.upload', 'https://www.googleapis.com/auth/yt-analytics.readonly']),
    private.asked_scopes(array['youtube']))
$$;
comment on function private.attest_youtube_scopes(timestamptz) is 'P6.1';

create function private.attest_x_scopes(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.foreign_scopes(array['x'], array['users.read', 'tweet.read', 'tweet.write', 'media.write', 'offline.access'])
    || private.broken_guards(array['constraint public.connections x_never_reads_direct_messages',
                                   'constraint public.platform_features x_never_reads_direct_messages'])
    || private.fault((select count(*) from public.connections c where c.platform_id = 'x' and c.scopes && array['dm.read', 'dm.write']),
                     'accounts with access to direct messages'),
    private.asked_scopes(array['x']))
$$;
comment on function private.attest_x_scopes(timestamptz) is 'P6.2';

create function private.attest_linkedin_scopes(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(private.foreign_scopes(array['linkedin'], array['openid', 'profile', 'w_member_social',
      'r_member_postAnalytics', 'r_member_profileAnalytics']),
    private.asked_scopes(array['linkedin']))
$$;
comment on function private.attest_linkedin_scopes(timestamptz) is 'P6.3';

create function private.attest_instagram_and_tiktok_scopes(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(private.foreign_scopes(array['instagram', 'tiktok'], array['instagram_business_basic',
      'instagram_business_content_publish', 'instagram_business_manage_comments', 'instagram_business_manage_messages',
      'instagram_business_manage_insights', 'user.info.basic', 'user.info.profile', 'user.info.stats', 'video.list',
      'video.publish', 'video.upload']),
    private.asked_scopes(array['instagram', 'tiktok']))
$$;
comment on function private.attest_instagram_and_tiktok_scopes(timestamptz) is 'P6.4';

create function private.attest_scopes_are_needed(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  with publishing as materialized (
    select c.platform_id, c.scopes from private.queue q
    join public.post_targets t on t.id = q.subject_id
    join public.connections c on c.id = t.connection_id
    where q.lane = 'publish' and q.sending_at is not null
  )
  select private.found(
    private.broken_guards(array['function private.required_scopes', 'function private.begin_connection',
      'function private.check_connection_request', 'function private.mark_sending'])
    || private.fault(count(*) filter (where not p.scopes @> private.required_scopes(p.platform_id, array['publish'])),
                     'posts being sent without the scope for it'),
    jsonb_build_object('being_sent', count(*), 'features', (select count(*) from public.platform_features)))
  from publishing p
$$;
comment on function private.attest_scopes_are_needed(timestamptz) is 'P6.5';

create function private.attest_vault_is_closed(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('may reach sealed tokens', array(
      select r || ' ' || t from unnest(private.token_places()) t, unnest(array['anon', 'authenticated', 'service_role']) r
      where has_table_privilege(r, t, 'select, insert, update, delete, truncate') or has_any_column_privilege(r, t, 'select, update')))
    || private.fault_list('without row-level security', array(
      select t from unnest(private.token_places()) t join pg_class c on c.oid = t::regclass where not c.relrowsecurity))
    || private.fault_list('policy on sealed tokens', array(
      select p.polname::text from pg_policy p where p.polrelid = any (private.token_places()::regclass[])))
    || private.broken_guards(array['constraint private.token_vault token_vault_connection_id_user_id_fkey'])
    || private.fault(count(*) filter (where c.user_id <> v.user_id), 'tokens of somebody else''s account'),
    jsonb_build_object('tables', cardinality(private.token_places()), 'sealed_connections', count(*)))
  from private.token_vault v join public.connections c on c.id = v.connection_id
$$;
comment on function private.attest_vault_is_closed(timestamptz) is 'P6.6';

create function private.attest_disconnecting_deletes_tokens(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.disconnect', 'function private.drop_tokens', 'function private.expire_revocations',
                                'constraint private.revocation_outbox gone_within_24_hours'])
    || private.unscheduled(array['expire_revocations'])
    || private.fault((select count(*) from private.token_vault v join public.connections c on c.id = v.connection_id
                      where c.state <> 'active'), 'tokens of accounts that are not connected')
    || private.fault(count(*) filter (where r.delete_by < p_now - interval '1 hour'), 'sealed copies for revocation past their 24 hours'),
    jsonb_build_object('waiting_revocations', count(*)))
  from private.revocation_outbox r
$$;
comment on function private.attest_disconnecting_deletes_tokens(timestamptz) is 'P6.7';

create function private.attest_accounts_can_be_disconnected(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function public.disconnect_account', 'function private.disconnect_account',
                                'function private.revoke_connection', 'function worker.revoke_connection', 'function private.end_expired_grants'])
    || private.unscheduled(array['end_expired_grants'])
    || private.fault(count(*) filter (where c.usable_until < p_now - interval '1 day'), 'accounts that count as connected though the grant ran out')
    || private.fault(count(*) filter (where v.connection_id is null), 'accounts that count as connected without tokens'),
    jsonb_build_object('active_connections', count(*)))
  from public.connections c left join private.token_vault v on v.connection_id = c.id where c.state = 'active'
$$;
comment on function private.attest_accounts_can_be_disconnected(timestamptz) is 'P6.8';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('youtube_scopes', 'P6.1', 'database', 'Only scopes of the table of features can be asked for, and for YouTube it holds reading, upload and analytics alone.'),
  ('x_scopes', 'P6.2', 'database', 'Constraints refuse scopes of direct messages both where they could be asked for and where they could be stored.'),
  ('linkedin_scopes', 'P6.3', 'database', 'Only scopes of the table of features can be asked for, and for LinkedIn it holds sign-in, posting and basic analytics alone.'),
  ('instagram_and_tiktok_scopes', 'P6.4', 'database', 'The inbox and each other use is a feature of its own, asked for only when the person chose it in the OAuth flow.'),
  ('scopes_are_needed', 'P6.5', 'database', 'Scheduling, claiming and the last check before sending compare the scopes that were granted with those of the feature.'),
  ('vault_is_closed', 'P6.6', 'database', 'No role of the API, the secret key included, has a right on the tables of tokens; the keys are in the workers'' environment alone.'),
  ('disconnecting_deletes_tokens', 'P6.7', 'database', 'Disconnecting deletes the row of the vault in its own transaction; a constraint bounds the sealed copy for revocation to 24 hours.'),
  ('accounts_can_be_disconnected', 'P6.8', 'database', 'One call disconnects in every state; a refusal by the platform ends the connection, deletes the tokens and tells the person.');
