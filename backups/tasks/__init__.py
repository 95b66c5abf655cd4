"""What each kind of job does, one module a kind. Runs in a worker; see settings.JOB_TASKS."""
