`systemctl reload txregistry` waits for the outcome, and fails if nothing was applied. `txregistry
health` asks by the control socket where the listener wants a certificate of each client.
