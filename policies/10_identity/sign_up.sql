-- Supabase Auth asks its hook (auth.hook.before_user_created in supabase/config.toml).
grant usage on schema private to supabase_auth_admin;
grant execute on function private.before_user_created(jsonb, timestamptz) to supabase_auth_admin;

-- People complete their sign-up and read their account; both work before the account may be used.

grant execute on function private.complete_sign_up(date, timestamptz) to authenticated;
grant execute on function private.my_account(timestamptz) to authenticated;
grant execute on function public.complete_sign_up(date) to authenticated;
grant execute on function public.my_account() to authenticated;
