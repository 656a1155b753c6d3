"""What is kept and for how long: a ledger, a plan, a reaper, a clock."""
