-- private.processing_purposes
-- Why:     personal data serves these purposes and no other, each with its lawful basis (P2.1, P10.1). What is not listed
--          cannot be registered in the catalogue, and nothing can be processed for it.
-- Caller:  the data catalogue, consents and private.may_process().
-- Repeat:  safe.

create table private.processing_purposes (
  id text primary key,
  lawful_basis text not null,
  may_be_refused boolean not null,
  description text not null,
  unique (id, lawful_basis),
  constraint id_is_snake_case check (id ~ '^[a-z][a-z0-9_]{2,62}$'),
  constraint basis_is_one_of_article_6 check (
    lawful_basis in ('contract', 'consent', 'legal_obligation', 'legitimate_interest')),
  constraint consent_may_be_refused check (lawful_basis <> 'consent' or may_be_refused),
  constraint duties_cannot_be_refused check (lawful_basis not in ('contract', 'legal_obligation') or not may_be_refused),
  constraint no_training_no_advertising check ( -- P2.2, P2.3
    id !~ '(train|advertis|broker|resale|resell)'),
  constraint description_is_given check (length(description) between 10 and 300)
);
comment on table private.processing_purposes is 'What personal data may be used for, each with its lawful basis (P2.1).';
comment on column private.processing_purposes.lawful_basis is 'Article 6 GDPR: contract, consent, legal_obligation or legitimate_interest.';
comment on column private.processing_purposes.may_be_refused is
  'The person can switch it off: by withholding consent, or by objecting to a legitimate interest (P7.5).';

insert into private.processing_purposes (id, lawful_basis, may_be_refused, description) values
  ('features', 'contract', false, 'Running what the person uses: profile, content, connected accounts, publishing.'),
  ('ai_processing', 'contract', false, 'Texts and audio that the person hands to an AI feature; never for training.'),
  ('security', 'legitimate_interest', false, 'Keeping accounts and the service safe: sessions, sign-ins, traces of actions.'),
  ('transactional_email', 'contract', false, 'Messages about the account, its safety, its invoices and these rules.'),
  ('product_improvement', 'legitimate_interest', true, 'Counting, in anonymous aggregates, how the product is used.'),
  ('billing', 'contract', false, 'Payments, invoices and what the law wants kept about them.'),
  ('marketing', 'consent', true, 'News and offers by mail, to those who asked for them.'),
  ('legal_duty', 'legal_obligation', false, 'Proof that the law was kept: consents, requests, erasures, invoices of the past.');
