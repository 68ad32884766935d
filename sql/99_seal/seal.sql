-- The seal: the last statement of every build and of every migration
-- Why:     see guards.sql. What is there now is what the attestation compares with.
-- Repeat:  safe.

select private.seal_guards();
