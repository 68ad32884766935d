-- Rights hold in every state of the account (P7.7).

grant execute on function private.request_right(text, text, timestamptz) to authenticated;
grant execute on function private.my_requests(timestamptz) to authenticated;
grant execute on function private.withdraw_request(uuid, timestamptz) to authenticated;
grant execute on function public.request_right(text, text) to authenticated;
grant execute on function public.my_requests() to authenticated;
grant execute on function public.withdraw_request(uuid) to authenticated;
