"""What redis does for the ledger, each in one step: scripts in Lua.

A member is ``<repository> <kind> <reference>``, which have no spaces. Keys, in this
order: the epoch, the last use of each member, its size, members by reference
(``<reference> <repository> <kind>``), claims by their end, the last use of what is
claimed, the last use of each content and its size by reference, the sum of those sizes,
and confirmations.

Note [Epoch]. Redis may lose everything: a restart without a file, ``FLUSHALL``, another
server. It may lose a part: a restart with an old file, a replica that has not got all
and takes over, a key that is evicted. A ledger that lacks entries would have content
deleted that another repository links. So each script first compares the epoch, which
the first process has written, and does nothing if it is another one. The epoch names
the run of the server, and the keys have to agree in the number of their members; if
they do not, all go. What is there after a restart is kept, and the scan of the tree
adds what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from txregistry.expiry.batch import Batch
from txregistry.interfaces.expiry import Entry, EntryKey, Kind, Stored
from txregistry.spec.reference import RepositoryName

PREFIX = "txregistry::ledger::"
KEYS = [
    PREFIX + name
    for name in ("epoch", "uses", "sizes", "references", "claims", "claimed")
]
KEYS += [PREFIX + name for name in ("contents", "lengths", "stored", "confirmed")]

#: The first word of every answer.
LOST, DONE = "lost", "done"

#: What may be wrong: see Note [Epoch]. A key of another type counts as -1.
_EPOCH = """
local epoch, uses, sizes, refs, claims, claimed = unpack(KEYS)
local contents, lengths, stored, confirmed = unpack(KEYS, 7)
local function count(command, key)
  local found = redis.pcall(command, key)
  return type(found) == 'number' and found or -1
end
local function has_sum()
  local found = redis.pcall('GET', stored)
  return type(found) == 'string' and tonumber(found) ~= nil
end
local function is_whole()
  local free, taken = count('ZCARD', uses), count('ZCARD', claims)
  return free >= 0 and taken >= 0 and count('HLEN', confirmed) >= 0
    and count('ZCARD', refs) == free and count('HLEN', claimed) == taken
    and count('HLEN', sizes) == free + taken
    and count('ZCARD', contents) == count('HLEN', lengths)
    and has_sum()
end
local function run()
  local told = redis.pcall('INFO', 'server')
  return type(told) == 'string' and string.match(told, 'run_id:(%w+)') or '-'
end
local function is_of_this_run(word)
  return type(word) == 'string' and string.match(word, ' (%S+)$') == run()
end
local begun = redis.pcall('GET', epoch)
"""

#: What each script begins with; then the arguments in order.
HEAD = (
    _EPOCH
    + """
if begun ~= ARGV[1] or not is_of_this_run(begun) or not is_whole() then
  return {'lost'}
end
local function ref(member)
  local name, kind, reference = string.match(member, '^(%S+) (%S+) (%S+)$')
  return reference .. ' ' .. name .. ' ' .. kind
end
local function fact(member)
  local name, kind, reference = string.match(member, '^(%S+) (%S+) (%S+)$')
  return name .. ' ' .. reference
end
local function unclaim(member)
  redis.call('ZREM', claims, member)
  redis.call('HDEL', claimed, member)
end
local function counted(reference)
  local use = redis.call('ZSCORE', contents, reference)
  if not use or tonumber(use) >= 1e15 then return 0 end
  return tonumber(redis.call('HGET', lengths, reference))
end
local function account(reference, size, use)
  local before = counted(reference)
  if use then
    redis.call('ZADD', contents, use, reference)
    redis.call('HSET', lengths, reference, size)
  else
    redis.call('ZREM', contents, reference)
    redis.call('HDEL', lengths, reference)
  end
  local change = counted(reference) - before
  if change ~= 0 then
    redis.call('INCRBY', stored, string.format('%.0f', change))
  end
end
local function content(member)
  local kind, reference = string.match(member, '^%S+ (%S+) (%S+)$')
  if kind ~= 'tag' then return reference end
end
local function gain(member, size, use)
  local reference = content(member)
  if not reference then return end
  local was = redis.call('ZSCORE', contents, reference)
  if was and tonumber(was) > tonumber(use) then use = was end
  if tonumber(size) == 0 then
    size = redis.call('HGET', lengths, reference) or 0
  end
  account(reference, size, use)
end
local function holders_of(reference, at, number)
  return redis.call('ZRANGEBYLEX', refs, '[' .. reference .. ' ',
                    '(' .. reference .. '!', 'LIMIT', at, number)
end
local function member_of(found)
  local reference, name, kind = string.match(found, '^(%S+) (%S+) (%S+)$')
  return name .. ' ' .. kind .. ' ' .. reference, kind
end
local function lose(member)
  local reference = content(member)
  if not reference then return end
  local last
  for _, found in ipairs(holders_of(reference, 0, -1)) do
    local other, kind = member_of(found)
    local use = kind ~= 'tag' and redis.call('ZSCORE', uses, other)
    if use and (not last or tonumber(use) > tonumber(last)) then last = use end
  end
  account(reference, redis.call('HGET', lengths, reference) or 0, last)
end
local function put(member, size, use)
  redis.call('ZADD', uses, use, member)
  redis.call('HSET', sizes, member, size)
  redis.call('ZADD', refs, 0, ref(member))
  gain(member, size, use)
end
local function now() return tonumber(redis.call('TIME')[1]) end
"""
)

#: Make the epoch unless there is one of this run, and give it.
ADOPT = (
    _EPOCH
    + """
if not is_whole() then
  redis.call('UNLINK', unpack(KEYS))
  redis.call('SET', stored, '0')
  begun = false
end
if not is_of_this_run(begun) then
  begun = ARGV[1] .. ' ' .. run()
  redis.call('SET', epoch, begun)
end
return begun
"""
)

#: Then operations: a letter with its member, and for ``a`` and ``r`` size and last use,
#: for ``t`` the last use, for ``c`` the time and what was confirmed.
WRITE = (
    HEAD
    + """
local at = 2
local function word() at = at + 1; return ARGV[at - 1] end
while at <= #ARGV do
  local what, member = word(), word()
  local known = redis.call('ZSCORE', uses, member)
  if what == 'f' then
    redis.call('ZREM', uses, member)
    redis.call('HDEL', sizes, member)
    redis.call('ZREM', refs, ref(member))
    redis.call('HDEL', confirmed, fact(member))
    unclaim(member)
    lose(member)
  elseif what == 'a' then
    local size, use = word(), word()
    if known and tonumber(known) > tonumber(use) then use = known end
    put(member, size, use)
    unclaim(member)
  elseif what == 'r' then
    local size, use = word(), word()
    if known and tonumber(known) >= 1e15 then
      put(member, size, use)
      lose(member)
    elseif known and size ~= '0' then
      put(member, size, known)
    elseif not known and redis.call('HEXISTS', claimed, member) == 0 then
      put(member, size, use)
    end
  elseif what == 't' then
    local use = word()
    if known and tonumber(known) < tonumber(use) then
      redis.call('ZADD', uses, use, member)
      gain(member, '0', use)
    end
  else
    redis.call('HSET', confirmed, fact(member), word() .. ' ' .. word())
  end
end
return {'done'}
"""
)

#: Give back what dead processes had claimed; then members, last uses and sizes, perhaps
#: of those that follow a member last used at a time.
DUE = (
    HEAD
    + """
for _, member in ipairs(
    redis.call('ZRANGEBYSCORE', claims, '-inf', now(), 'LIMIT', 0, 100)) do
  local use = redis.call('HGET', claimed, member) or '0'
  put(member, redis.call('HGET', sizes, member) or '0', use)
  unclaim(member)
end
local first, after, at = 0, ARGV[4], ARGV[5]
if after then
  local use = redis.call('ZSCORE', uses, after)
  if use and tonumber(use) == tonumber(at) then
    first = redis.call('ZRANK', uses, after) + 1
  else
    first = redis.call('ZCOUNT', uses, '-inf', '(' .. at)
  end
end
local found = redis.call('ZRANGEBYSCORE', uses, '-inf', '(' .. ARGV[2],
                         'WITHSCORES', 'LIMIT', first, ARGV[3])
local answer = {'done'}
for i = 1, #found, 2 do
  table.insert(answer, found[i])
  table.insert(answer, found[i + 1])
  table.insert(answer, redis.call('HGET', sizes, found[i]) or '0')
end
return answer
"""
)

#: A member with its last use and size; nothing if it is not there.
FIND = (
    HEAD
    + """
local use = redis.call('ZSCORE', uses, ARGV[2])
if not use then return {'done'} end
return {'done', ARGV[2], use, redis.call('HGET', sizes, ARGV[2]) or '0'}
"""
)

#: Claim a member last used at a time, for some seconds.
CLAIM = (
    HEAD
    + """
local member, use = ARGV[2], redis.call('ZSCORE', uses, ARGV[2])
if not use or tonumber(use) > tonumber(ARGV[3]) then return {'done', '0'} end
redis.call('ZREM', uses, member)
redis.call('ZREM', refs, ref(member))
redis.call('HDEL', confirmed, fact(member))
redis.call('ZADD', claims, now() + tonumber(ARGV[4]), member)
redis.call('HSET', claimed, member, use)
lose(member)
return {'done', '1'}
"""
)

#: Forget a claim that has not come back meanwhile.
FINISH = (
    HEAD
    + """
if redis.call('HEXISTS', claimed, ARGV[2]) == 1 then
  unclaim(ARGV[2])
  redis.call('HDEL', sizes, ARGV[2])
end
return {'done'}
"""
)

#: Give the members of a reference, from a position on.
HOLDERS = (
    HEAD
    + """
return {'done', unpack(holders_of(ARGV[2], ARGV[3], ARGV[4]))}
"""
)

#: Give when something was confirmed, and what of it.
CONFIRMED = (
    HEAD
    + """
return {'done', redis.call('HGET', confirmed, fact(ARGV[2]))}
"""
)

#: Give members with last uses and sizes, by their rank.
PAGE = (
    HEAD
    + """
local found = redis.call('ZRANGE', uses, ARGV[2], ARGV[3], 'WITHSCORES')
local answer = {'done'}
for i = 1, #found, 2 do
  table.insert(answer, found[i])
  table.insert(answer, found[i + 1])
  table.insert(answer, redis.call('HGET', sizes, found[i]) or '0')
end
return answer
"""
)


#: One operation of :data:`WRITE`.
Words = tuple[str, ...]


def operations(batch: Batch) -> Iterator[Words]:
    """Give what writes a batch, in the order in which it has to be written."""
    for key in batch.forgotten:
        yield ("f", member(key))
    for entry in batch.added.values():
        yield _put("a", entry)
    for key, now in batch.touched.items():
        yield ("t", member(key), repr(now))
    for key, (now, what) in batch.confirmed.items():
        yield ("c", member(key), repr(now), what)


def restoring(entries: Iterable[Entry]) -> Iterator[Words]:
    """Give what records entries that are not known."""
    return (_put("r", entry) for entry in entries)


def _put(letter: str, entry: Entry) -> Words:
    return letter, member(entry.key), str(entry.size), repr(entry.last_use)


def member(key: EntryKey) -> str:
    """Give the member that stands for something."""
    return f"{key.repository} {key.kind.value} {key.reference}"


def read_entries(words: list[str]) -> list[Entry]:
    """Read members, last uses and sizes.

    :raise ValueError: something else is there.
    """
    triples = zip(words[::3], words[1::3], words[2::3], strict=True)
    return [
        Entry(_read_key(name), int(size), float(last_use))
        for name, last_use, size in triples
    ]


def read_stored(words: list[str]) -> list[Stored]:
    """Read references, sizes and last uses.

    :raise ValueError: something else is there.
    """
    triples = zip(words[::3], words[1::3], words[2::3], strict=True)
    return [Stored(name, int(size), float(use)) for name, size, use in triples]


def _read_key(text: str) -> EntryKey:
    name, kind, reference = text.split(" ")
    return EntryKey(RepositoryName(name), Kind(kind), reference)


def read_confirmation(words: list[str], what: str) -> float | None:
    """Read when something was confirmed; ``None`` if it was something else."""
    at, _, was = (words[0] or "").partition(" ") if words else ("", "", "")
    try:
        return float(at) if was == what else None
    except ValueError:
        return None


def read_holder(text: str) -> RepositoryName:
    """Read the repository of a member by its reference."""
    _, name, _ = text.split(" ")
    return RepositoryName(name)
