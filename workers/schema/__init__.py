"""The database's definition: from the sources in `sql/` and `policies/` to migrations, and the proof that
both agree.

Read `sources` first (what a source tree is and how it is applied), then `baseline` and `forward` (how
migrations are written), then `check` (how equality is proved). Nothing here is used by a running worker.
"""
