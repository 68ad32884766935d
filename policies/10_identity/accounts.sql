-- People see their account through my_account() alone.

alter table private.accounts enable row level security;
