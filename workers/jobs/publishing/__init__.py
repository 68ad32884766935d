"""Parts of publishing: see `workers.jobs.publish`."""
