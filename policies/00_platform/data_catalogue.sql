-- Nobody through the API.

alter table private.data_catalogue enable row level security;
