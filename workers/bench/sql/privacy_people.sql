-- People as they are after a year of quiet use, one row or two in every area. Fast: no triggers, so `session_replication_role`
-- must be replica.
create temp table person on commit drop as
  select gen_random_uuid() as u, gen_random_uuid() as s, gen_random_uuid() as c, n from generate_series(1, {people}) n;
insert into auth.users (id, aud, role, email, encrypted_password, created_at, updated_at)
  select u, 'authenticated', 'authenticated', n || '@people.example', '$2a$10$abcdefghijklmnopqrstuv', now(), now() from person;
insert into auth.identities (id, user_id, provider, provider_id, identity_data, created_at, updated_at)
  select gen_random_uuid(), u, 'email', u::text, '{{"sub": "x"}}', now(), now() from person;
insert into auth.sessions (id, user_id, created_at, updated_at, user_agent) select s, u, now(), now(), 'Firefox on Linux' from person;
insert into public.login_events (user_id, session_id, at, method, located_at) select u, s, now(), 'email', now() from person;
insert into private.accounts (user_id, birth_date, state) select u, '1990-01-01', 'active' from person;
insert into public.profiles (user_id, handle)
  select u, 'x' || substr(translate(md5(n::text), '0123456789', 'ghjkmnpqrs'), 1, 20) from person;
insert into public.preferences (user_id, product_analytics) select u, n % 10 <> 0 from person;
insert into public.consents (user_id, purpose_id, is_given, method, at)
  select u, 'product_improvement', false, 'settings', now() from person where n % 10 = 0;
insert into public.media_kits (user_id) select u from person;
insert into public.posts (user_id, title, body) select u, 'A title', 'A text of a post.' from person;
insert into public.captions (user_id, body) select u, 'A caption.' from person;
insert into public.policy_acceptances (user_id, version, accepted_at, method) select u, 1, now(), 'sign_up' from person;
insert into public.connections (id, user_id, platform_id, external_account_id, scopes, state, connected_at, token_generation)
  select c, u, 'x', 'e' || n, array['users.read', 'tweet.read', 'offline.access'], 'active', now(), 1 from person;
insert into private.token_vault (connection_id, user_id, sealed_access, sealed_revocation, key_ids, generation)
  select c, u, '\x4e585401' || decode(repeat('01', 200), 'hex'), '\x4e585401' || decode(repeat('01', 200), 'hex'), '{{k1}}', 1 from person;
insert into private.audit_events (at, actor_kind, action, subject_kind, subject_id)
  select now(), 'system', 'signed_in_somewhere', 'account', u from person;
insert into storage.objects (bucket_id, name, owner_id) select 'media', u || '/a.png', u::text from person;
insert into auth.audit_log_entries (id, payload, created_at, ip_address)
  select gen_random_uuid(), json_build_object('actor_id', u, 'actor_username', n || '@people.example', 'action', 'login',
                                              'log_type', 'account', 'traits', json_build_object('provider', 'email')), now(), ''
  from person;
insert into private.queue (lane, subject_id, due_at) select 'refresh', c, now() + interval '1 hour' + n * interval '1 second' from person;
-- A backup of today, and a drill: both are attested.
select private.begin_backup('00000000-0000-4000-8000-000000000000', 'bucket', 'k1');
select private.finish_backup('00000000-0000-4000-8000-000000000000', 1, repeat('0', 64), 'k1', 0, 0);
select private.record_drill('00000000-0000-4000-8000-000000000000', now(), 1, 0, 0);
