-- Policies and INVOKER functions of people ask these.

grant execute on function private.session_is_live(timestamptz) to authenticated;
grant execute on function private.account_is_usable(timestamptz) to authenticated;
grant execute on function private.require_person(timestamptz) to authenticated;
