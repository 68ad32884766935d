"""`./nexora bench`: our queue beside graphile-worker, pg-boss, pgmq and procrastinate, on one Postgres, in one run.

Never part of production. The peers' packages are installed by the launcher when it runs this command alone.
"""
