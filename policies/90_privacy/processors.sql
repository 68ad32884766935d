-- The list is open to everybody who is signed in, whatever the state of the account.

alter table private.processors enable row level security;
alter table private.processor_purposes enable row level security;

grant execute on function private.list_processors(timestamptz) to authenticated;
grant execute on function public.list_processors() to authenticated;
