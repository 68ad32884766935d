-- Choosing works in every state of the account.

grant execute on function private.list_purposes(timestamptz) to authenticated;
grant execute on function private.choose(text, boolean, int, text, timestamptz) to authenticated;
grant execute on function public.list_purposes() to authenticated;
grant execute on function public.give_consent(text, int, text) to authenticated;
grant execute on function public.withdraw_consent(text) to authenticated;
