-- private.promises, private.promise_checks, private.finding
-- Why:     the privacy policy as obligations with stable ids, and for each the checks that prove it. A promise whose
--          feature does not exist yet is pending, by name of the feature; it is never passed over and never passes.
-- Caller:  private.attest() and the worker.
-- Repeat:  no; reference rows are loaded by the migration.

create table private.promises (
  id text primary key,
  obligation text not null,
  pending_feature text,
  constraint id_is_section_and_number check (id ~ '^P[1-9][0-9]?\.[1-9][0-9]?$'),
  constraint obligation_is_a_sentence check (length(obligation) between 20 and 400),
  constraint feature_is_named check (length(pending_feature) between 3 and 60)
);
comment on table private.promises is 'What the privacy policy promises, as obligations on this service.';
comment on column private.promises.pending_feature is
  'The feature that the promise is about and that does not exist yet; NULL: the promise has checks.';

create table private.promise_checks (
  id text primary key,
  promise_id text not null references private.promises (id),
  runs_in text not null,
  enforced_by text not null,
  constraint id_is_snake_case check (id ~ '^[a-z][a-z0-9_]{2,54}$'),
  constraint runs_somewhere check (runs_in in ('database', 'worker')),
  constraint enforcement_is_described check (length(enforced_by) between 20 and 400)
);
create index promise_checks_promise_id_idx on private.promise_checks (promise_id);
comment on table private.promise_checks is
  'Checks of promises. One that runs in the database is the function private.attest_<id>; the others run in the worker.';
comment on column private.promise_checks.enforced_by is 'How the promise is kept, in words that a lawyer reads.';

create type private.finding as (passed boolean, evidence jsonb);
comment on type private.finding is 'What a check found: evidence holds counts, names of objects and faults, never contents.';

create function private.found(p_faults text[], p_evidence jsonb default '{}') returns private.finding
language sql immutable security invoker set search_path = '' as $$
  select row(cardinality(p_faults) = 0,
             p_evidence || case when cardinality(p_faults) = 0 then '{}'
                                else jsonb_build_object('faults', to_jsonb(p_faults[1:20])) end)::private.finding
$$;
comment on function private.found(text[], jsonb) is 'The finding that these faults amount to; none: passed.';

create function private.fault(p_count bigint, p_what text) returns text[]
language sql immutable security invoker set search_path = '' as $$
  select case when coalesce(p_count, 0) = 0 then '{}' else array[p_count || ' ' || p_what] end
$$;
comment on function private.fault(bigint, text) is 'One fault with its count, or none.';

create function private.fault_list(p_what text, p_names text[]) returns text[]
language sql immutable security invoker set search_path = '' as $$
  select coalesce(array_agg(p_what || ': ' || n order by n), '{}') from unnest(p_names) n
$$;
comment on function private.fault_list(text, text[]) is 'One fault per name of an object.';

insert into private.promises (id, obligation, pending_feature) values
  ('P1.1', 'Account: name, e-mail, password. Passwords exist only as salted bcrypt hashes, kept by Supabase Auth; there is no other copy anywhere.', null),
  ('P1.2', 'Creator profile and media kit: the person edits all of it.', null),
  ('P1.3', 'Content: scripts, posts, scheduled content, captions and every text saved belong to the person who wrote them.', null),
  ('P1.4', 'Brand deals: deal and brand names, contract values, invoices, notes, pipeline stages.', 'brand deals'),
  ('P1.5', 'Earnings: entered by hand, or synced from a connected platform.', 'earnings'),
  ('P1.6', 'Support messages, by e-mail or contact form.', 'support desk'),
  ('P1.7', 'Usage data is anonymised once aggregated.', null),
  ('P1.8', 'Device data is no more than browser type, operating system and screen size.', null),
  ('P1.9', 'An IP address serves only to derive an approximate country and to stop unauthorised access; it is not kept.', null),
  ('P1.10', 'Login times are recorded; session tokens are encrypted or hashed at rest.', null),
  ('P1.11', 'Error logs hold no personal content: not the text of a post, not an e-mail address, not a token.', null),
  ('P1.12', 'From a connected account: only public profile data, the analytics that were authorised, and OAuth 2.0 tokens. Never a social password.', null),
  ('P2.1', 'Data serves only the listed purposes, each with its lawful basis; a processing step without one cannot run.', null),
  ('P2.2', 'AI input is never used for training: a provider that trains on data cannot be registered or called.', null),
  ('P2.3', 'Nothing is sold or shared with advertisers or data brokers; no advertising profile exists.', null),
  ('P2.4', 'No unsolicited marketing: a marketing message needs recorded consent.', null),
  ('P2.5', 'Card data is never stored or seen: only identifiers of Stripe, brand and last four digits at most.', null),
  ('P3.1', 'Data at rest is encrypted with AES-256; in transit with TLS 1.3.', null),
  ('P3.2', 'Backups run every day and are stored encrypted.', null),
  ('P3.3', 'Profile pictures and uploads are private and reached only through access-controlled, expiring URLs.', null),
  ('P3.4', 'OAuth tokens are encrypted with AES-256 before they reach the database.', null),
  ('P3.5', 'Every credential comes from the environment, never from source or the database.', null),
  ('P3.6', 'Row-level security: a person reaches only their own rows, on every table, view, function and bucket.', null),
  ('P3.7', 'Sessions expire after inactivity.', null),
  ('P3.8', 'A password change ends all sessions at once, the acting one included; an old access token is useless from that moment.', null),
  ('P3.9', 'Repositories are protected against committed credentials.', null),
  ('P3.10', 'On a data breach every affected person gets an e-mail within 72 hours of awareness.', null),
  ('P4.1', 'Only the named processors receive data, each only what its function needs; any other needs explicit consent or a legal duty.', null),
  ('P4.2', 'Audio sent for transcription is processed transiently: no copy of it is left after the request.', 'transcription of audio'),
  ('P4.3', 'The mail provider gets the address only for the message in question.', null),
  ('P5.1', 'Only authentication, preference and basic analytics storage; no third-party trackers, no advertising.', null),
  ('P5.2', 'Analytics carry no personal identifier once stored for analysis, and stop when the person opts out.', null),
  ('P6.1', 'YouTube: channel analytics, list of videos, upload. Nothing else of Google.', null),
  ('P6.2', 'X: create posts, engagement metrics. Never direct messages.', null),
  ('P6.3', 'LinkedIn: create posts, basic profile analytics.', null),
  ('P6.4', 'Instagram and TikTok: scheduling, and the inbox, only as far as the person authorised.', null),
  ('P6.5', 'A scope that was not granted is never used: a feature that needs it refuses with a clear error.', null),
  ('P6.6', 'Tokens belong to one person, and neither another person nor staff can read them.', null),
  ('P6.7', 'Disconnecting deletes the tokens immediately and permanently; what revocation needs is gone within 24 hours.', null),
  ('P6.8', 'Any account can be disconnected at any time; a revocation on the platform''s side is handled as a disconnect.', null),
  ('P7.1', 'Access: all personal data held can be viewed at any time from Settings.', null),
  ('P7.2', 'Correct: inaccurate data can be corrected by the person.', null),
  ('P7.3', 'Delete: the account and everything associated is permanently deleted within 30 days of the request.', null),
  ('P7.4', 'Export: a complete, machine-readable export, delivered privately.', null),
  ('P7.5', 'Opt out of non-essential analytics and processing, at any time, effective at once.', null),
  ('P7.6', 'E-mail control: every non-essential mail can be switched off; security and invoice mails cannot.', null),
  ('P7.7', 'Every rights request is answered within 30 days; one nearing its deadline raises an alarm.', null),
  ('P8.1', 'The data of an active account is kept as long as the account is active.', null),
  ('P8.2', 'After deletion personal data is gone within 30 days, and out of every backup within 90 days.', null),
  ('P8.3', 'Invoices and billing records are kept 7 years, apart from the rest, and then destroyed.', null),
  ('P8.4', 'Anonymous aggregates, which cannot be traced back to anyone, may stay.', null),
  ('P8.5', 'A legal hold suspends deletion of what it covers, and deletion resumes when it is lifted.', null),
  ('P9.1', 'Nobody under 13 can have an account; data found to belong to one is deleted promptly.', null),
  ('P9.2', 'Between 13 and 18 the account works only with a guardian''s recorded consent.', null),
  ('P10.1', 'Every processing purpose has its lawful basis; consent for optional features is recorded and revocable.', null),
  ('P10.2', 'Countries to which data goes are recorded per processor, with the safeguard that applies.', null),
  ('P11.1', 'A material change of the policy is mailed to everyone at least 14 days before it takes effect.', null),
  ('P11.2', 'A notice stands in the product while a change of the policy is pending.', null),
  ('P11.3', 'Each version carries its date; continued use after the effective date is recorded as acceptance.', null),
  ('P12.1', 'Every enquiry gets a first human answer within 3 business days; one about to miss it raises an alarm.', 'support desk');
