-- People see what is held about them in every state of the account (P7.1).

alter table private.data_sources enable row level security;

grant execute on function private.my_data(timestamptz) to authenticated;
grant execute on function public.my_data() to authenticated;
