-- Nobody reads the audit log through the API. Bodies of this service write it.

alter table private.audit_events enable row level security;
