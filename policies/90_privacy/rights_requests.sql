-- Nobody reaches the table but through functions.

alter table private.rights_requests enable row level security;
