-- Workers serve calendars.

grant execute on function private.read_calendar_feed(text, timestamptz) to service_role;
grant execute on function worker.read_calendar_feed(text) to service_role;
