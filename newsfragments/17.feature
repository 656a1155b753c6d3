Under systemd the daemon says when it is ready and when it stops, feeds the watchdog from its
reactor, serves on every socket that it is handed, and puts its control socket into the runtime
directory of the unit.
There is a package for Debian 12 and 13: `make deb` builds it, `make deb-test` tries it.
