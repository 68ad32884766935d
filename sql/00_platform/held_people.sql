-- private.held_people
-- Why:     cleanups of every context pass over people of whom something must be kept: for a legal hold (P8.5), where
--          deleting would raise, and one held row must not keep the others from being deleted in time; or because they
--          have the processing of their data restricted, and deleting is processing (P7.7).
-- Caller:  90_privacy writes, whenever a hold or a restriction begins or ends; cleanups read.
-- Repeat:  safe.

create table private.held_people (
  subject_id uuid primary key
);
comment on table private.held_people is
  'People with a legal hold or a restriction that has not been lifted. Why, is in private.legal_holds and private.accounts.';
