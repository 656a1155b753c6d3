"""What a user may do with a file, by its owner and mode."""

from __future__ import annotations

import grp
import os
import pwd
import stat

import attrs

READ, WRITE, ENTER = 4, 2, 1


@attrs.frozen
class Who:
    """A user, its first group, and all groups that it is in."""

    name: str
    uid: int
    gid: int
    gids: frozenset[int]

    def may(self, found: os.stat_result, wanted: int) -> bool:
        """Tell if this user may do all that is wanted, by owner, group and mode."""
        if self.uid == 0:
            return True
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid == self.uid:
            mode >>= 6
        elif found.st_gid in self.gids:
            mode >>= 3
        return mode & wanted == wanted

    def may_use(self, found: os.stat_result) -> bool:
        """Tell if this user may change a directory, or read a file."""
        if stat.S_ISDIR(found.st_mode):
            return self.may(found, READ | WRITE | ENTER)
        return self.may(found, READ)


def who_is(name: str, group: str = "") -> Who:
    """Look up a user as a service has it: with all its groups.

    :raise KeyError: there is no such user or group.
    """
    found = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    gid = found.pw_gid
    if group:
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    gids = os.getgrouplist(found.pw_name, gid)
    return Who(found.pw_name, found.pw_uid, gid, frozenset(gids))
