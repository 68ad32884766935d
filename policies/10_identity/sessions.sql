-- People see and end their own sessions, whatever the state of the account.

grant execute on function private.list_sessions(timestamptz) to authenticated;
grant execute on function private.revoke_session(uuid, timestamptz) to authenticated;
grant execute on function private.sign_out_everywhere(timestamptz) to authenticated;
grant execute on function public.list_sessions() to authenticated;
grant execute on function public.revoke_session(uuid) to authenticated;
grant execute on function public.sign_out_everywhere() to authenticated;
