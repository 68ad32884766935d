"""Processors outside that keep something about a person: one eraser each (P7.3, `workers.jobs.erasure`).

An eraser asks for an end state and not for a change, so that whoever repeats it after a lost answer does no harm: what
is gone already is done. Anything else that the processor answers is an error, and the outbox of the erasure
(`private.erasure_outbox`) has it tried again.
"""
