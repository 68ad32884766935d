-- One person with `rows` rows in all areas together, each a tenth or a twentieth of them; the id is `person`.
create temp table one on commit drop as
  select {person}::uuid as u, gen_random_uuid() as c, {rows} / 20 as n;
insert into auth.users (id, aud, role, email, encrypted_password, created_at, updated_at)
  select u, 'authenticated', 'authenticated', 'heavy@people.example', '$2a$10$abcdefghijklmnopqrstuv', now(), now() from one;
insert into auth.sessions (id, user_id, created_at, updated_at) select gen_random_uuid(), u, now(), now() from one, generate_series(1, 20);
insert into private.accounts (user_id, birth_date, state) select u, '1990-01-01', 'active' from one;
insert into public.profiles (user_id, handle) select u, 'heavyperson' from one;
insert into public.preferences (user_id) select u from one;
insert into public.media_kits (user_id) select u from one;
insert into public.connections (id, user_id, platform_id, external_account_id, scopes, state, connected_at, token_generation)
  select c, u, 'x', 'heavy-account', array['users.read', 'tweet.read', 'offline.access'], 'active', now(), 1 from one;
create temp table piece on commit drop as
  select gen_random_uuid() as p, gen_random_uuid() as t, gen_random_uuid() as m, k, one.u, one.c, one.n
  from one, generate_series(1, one.n) k;
insert into public.scripts (user_id, title, body) select u, 'A title', repeat('A script. ', 50) from piece;
insert into public.captions (user_id, body) select u, 'A caption.' from piece;
insert into public.posts (id, user_id, title, body) select p, u, 'A title', 'A text of a post.' from piece;
insert into public.media (id, user_id, object_name, kind, mime_type, size_bytes)
  select m, u, u || '/' || m || '.png', 'image', 'image/png', 10 from piece;
insert into public.post_media (user_id, post_id, media_id) select u, p, m from piece;
insert into public.post_targets (id, user_id, post_id, connection_id, platform_id, text, state, scheduled_at, published_at, external_id)
  select t, u, p, c, 'x', 'A text.', 'published', now(), now(), k::text from piece;
insert into public.target_events (target_id, user_id, at, from_state, to_state, attempt)
  select t, u, now(), a::public.target_state, b::public.target_state, 1 from piece,
    (values ('draft', 'scheduled'), ('scheduled', 'publishing'), ('publishing', 'published')) step (a, b);
insert into private.publish_attempts (target_id, user_id, attempt, worker_id, claimed_at, sending_at, finished_at, outcome)
  select t, u, 1, gen_random_uuid(), now(), now(), now(), 'published' from piece;
insert into public.target_follow_ups (user_id, target_id, body) select u, t, 'A comment.' from piece;
insert into public.publish_costs (user_id, target_id, platform_id, charge, amount_micros, currency, charged_at)
  select u, t, 'x', 'post_create', 15000, 'USD', now() from piece;
insert into public.notifications (user_id, kind, subject_kind, subject_id, created_at)
  select u, 'target_failed', 'post_target', t, now() from piece
  union all select u, 'target_published', 'post_target', t, now() from piece;
insert into public.login_events (user_id, session_id, at, method, located_at)
  select u, gen_random_uuid(), now(), 'email', now() from piece;
insert into private.mails (user_id, template_id, category_id, params, dedupe_key, created_at, give_up_at, state, attempts, sent_at, provider_id)
  select u, 'password_changed', 'security', '{{}}', 'heavy:' || u || k, now(), now() + interval '1 day', 'sent', 1, now(),
         gen_random_uuid()::text from piece;
insert into public.consents (user_id, purpose_id, is_given, method, at)
  select u, 'product_improvement', false, 'settings', now() - k * interval '1 second' from piece;
insert into private.audit_events (at, actor, actor_kind, action, subject_kind, subject_id)
  select now(), u, 'person', 'did_something', 'account', u from piece
  union all select now(), u, 'person', 'did_something', 'post', p from piece;
insert into auth.audit_log_entries (id, payload, created_at, ip_address)
  select gen_random_uuid(), json_build_object('actor_id', u, 'actor_username', 'heavy@people.example', 'action', 'login'), now(), ''
  from piece;
