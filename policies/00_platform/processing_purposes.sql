-- Nobody through the API.

alter table private.processing_purposes enable row level security;
