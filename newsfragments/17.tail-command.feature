A command that may not open the daemon's control socket says so, with exit status 77, and one whose
daemon hangs gives up after a minute. All exit statuses stand in one table, `docs/exit-statuses.md`.
