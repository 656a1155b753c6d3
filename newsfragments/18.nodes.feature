Several nodes behind one name: with a storage that others change as well, the expiry
ledger lies in redis, due entries are claimed by lease so that each expires once, and a
tag that one node has confirmed is fresh at all.
