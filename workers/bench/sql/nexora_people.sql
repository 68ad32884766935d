-- People with accounts on two platforms, as sign-up and connecting leave them. Parameter: how many people.
insert into auth.users (id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data,
                        email_confirmed_at, created_at, updated_at)
select gen_random_uuid(), 'authenticated', 'authenticated', 'p' || i || '@people.example', '$2a$10$not.a.real.hash',
       jsonb_build_object('provider', 'email'), jsonb_build_object('birth_date', '1990-01-01'), now(), now(), now()
from generate_series(1, {people}) i;

insert into public.connections (user_id, platform_id, external_account_id, handle, display_name, scopes, state,
                                connected_at, token_generation, token_expires_at)
select u.id, f.platform_id, 'account-' || u.id, 'somebody', 'Somebody', f.scopes, 'active', now(), 1,
       now() + interval '60 days'
from auth.users u
join public.platform_features f on f.platform_id in ('x', 'linkedin') and f.feature = 'publish';

insert into private.token_vault (connection_id, user_id, sealed_access, sealed_revocation, key_ids, generation,
                                 access_expires_at)
select c.id, c.user_id, convert_to('NXT', 'utf8') || decode(repeat('01', 300), 'hex'),
       convert_to('NXT', 'utf8') || decode(repeat('01', 300), 'hex'), array['k1'], 1, now() + interval '60 days'
from public.connections c;
