"""How long content is kept: a ledger, a plan, a reaper, a scheduler."""
