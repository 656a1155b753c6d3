"""Checks of the admin listener: who may do what there, and over what."""

from __future__ import annotations

from ipaddress import ip_address

from txregistry.config.fields import host_and_port
from txregistry.config.http import Http

#: What users may do.
_ROLES = ("read", "operate")


def check_admin(http: Http) -> list[str]:
    """Find problems of its section."""
    admin = http.admin
    problems = [
        f"http.admin.users.{name}: expected read or operate, found {role!r}"
        for name, role in admin.users.items()
        if role not in _ROLES
    ]
    if admin.tls and not http.tls.certificate:
        problems.append("http.admin.tls: expects http.tls.certificate and key")
    return problems


def admin_remarks(http: Http, has_auth: bool) -> list[str]:
    """Give warnings of what others on the network could see or do.

    :param has_auth: visitors have to say who they are.
    """
    admin = http.admin
    if not admin.addr or admin.addr.startswith("/") or _is_local(admin.addr):
        return []
    found = []
    if has_auth and not admin.tls:
        found.append("http.admin: passwords cross the network as they are: see tls")
    if not has_auth and "operate" in admin.users.values():
        found.append("http.admin.users: whoever reaches the address may act")
    return found


def _is_local(address: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        host, _ = host_and_port(address)
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
