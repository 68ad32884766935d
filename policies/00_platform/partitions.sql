-- The register is for migrations and housekeeping.

alter table private.partitioned_tables enable row level security;
