-- Incidents are handled by whoever operates the service; freezing the affected is for DBAs alone.

grant execute on function private.open_incident(timestamptz, text, text, text, text, text, timestamptz) to service_role;
grant execute on function private.record_authority_notice(uuid, text, timestamptz) to service_role;
grant execute on function private.report_incident(uuid) to service_role;
grant execute on function worker.open_incident(timestamptz, text, text, text, text, text) to service_role;
grant execute on function worker.record_authority_notice(uuid, text) to service_role;
grant execute on function worker.report_incident(uuid) to service_role;
