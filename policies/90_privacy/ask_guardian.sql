-- Asking works while the account waits; reporting is for whoever operates the service.

grant execute on function private.request_guardian_consent(text, text, timestamptz) to authenticated;
grant execute on function public.request_guardian_consent(text, text) to authenticated;
grant execute on function private.report_under_13(uuid, text, timestamptz) to service_role;
grant execute on function worker.report_under_13(uuid, text) to service_role;
