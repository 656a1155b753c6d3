"""The Debian package, tried on a fresh Debian with a real systemd: ``make deb-test``.

Not part of ``make test``: it downloads a Debian and takes some minutes. A machine is a
tree made by debootstrap, booted by systemd-nspawn, whose network is a namespace that
leads to one upstream and nowhere else.
"""
