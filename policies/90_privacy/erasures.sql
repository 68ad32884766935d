-- A person asks for it and takes it back, in every state of the account; the tables are for nobody.

alter table private.erasures enable row level security;
alter table private.erasure_steps enable row level security;
alter table private.erasure_outbox enable row level security;
alter table private.erasure_notices enable row level security;

grant execute on function private.request_erasure(timestamptz) to authenticated;
grant execute on function private.cancel_erasure(timestamptz) to authenticated;
grant execute on function private.my_erasure(timestamptz) to authenticated;
grant execute on function public.request_erasure() to authenticated;
grant execute on function public.cancel_erasure() to authenticated;
grant execute on function public.my_erasure() to authenticated;
