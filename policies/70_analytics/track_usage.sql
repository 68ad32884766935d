-- People whose account may be used; the body asks.

grant execute on function private.track_usage(jsonb, text, timestamptz) to authenticated;
grant execute on function public.track_usage(jsonb, text) to authenticated;
