-- Nobody reaches the records but through functions of schema worker.

alter table private.incidents enable row level security;
alter table private.incident_recipients enable row level security;
alter table private.incident_events enable row level security;
