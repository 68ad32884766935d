-- People disconnect their own accounts; workers report that a platform did.

grant execute on function private.disconnect_account(uuid, timestamptz) to authenticated;
grant execute on function public.disconnect_account(uuid) to authenticated;
grant execute on function private.revoke_connection(uuid, text, int, timestamptz) to service_role;
grant execute on function worker.revoke_connection(uuid, text, int) to service_role;
