"""What redis tells of stored content: its sum, and what was not used for longest.

See :mod:`txregistry.expiry.redis_scripts` for the keys and what keeps them in step.
"""

from __future__ import annotations

from txregistry.expiry.redis_scripts import HEAD

#: Give the sum of the sizes.
STORED = HEAD + "return {'done', redis.call('GET', stored)}"

#: Give the members of a reference from a position on, with last uses and sizes.
HELD = (
    HEAD
    + """
local answer = {'done'}
for _, found in ipairs(holders_of(ARGV[2], ARGV[3], ARGV[4])) do
  local member = member_of(found)
  table.insert(answer, member)
  table.insert(answer, redis.call('ZSCORE', uses, member))
  table.insert(answer, redis.call('HGET', sizes, member) or '0')
end
return answer
"""
)

#: Give blobs with sizes and last uses, from a last use and reference on. What was used
#: at the same time as the last one is in the order of references.
COLDEST = (
    HEAD
    + """
local answer, wanted, at = {'done'}, tonumber(ARGV[4]), 0
local function is_manifest(reference)
  for _, found in ipairs(holders_of(reference, 0, -1)) do
    local _, kind = member_of(found)
    if kind == 'manifest' then return true end
  end
end
while #answer < 3 * wanted do
  local found = redis.call('ZRANGEBYSCORE', contents, ARGV[2], '(1e15',
                           'WITHSCORES', 'LIMIT', at, wanted)
  for i = 1, #found, 2 do
    local reference, use = found[i], found[i + 1]
    local size = redis.call('HGET', lengths, reference)
    local is_new = tonumber(use) > tonumber(ARGV[2]) or reference > ARGV[3]
    if #answer < 3 * wanted and is_new and size ~= '0'
        and not is_manifest(reference) then
      table.insert(answer, reference)
      table.insert(answer, size)
      table.insert(answer, use)
    end
  end
  if #found < 2 * wanted then break end
  at = at + wanted
end
return answer
"""
)

#: Give content with sizes and last uses, by reference from one on.
CONTENTS = (
    HEAD
    + """
local answer, last, wanted = {'done'}, ARGV[2], tonumber(ARGV[3])
local from = last == '' and '-' or '(' .. last .. '!'
while #answer < 3 * wanted do
  local found = redis.call('ZRANGEBYLEX', refs, from, '+', 'LIMIT', 0, 100)
  for _, line in ipairs(found) do
    local reference = string.match(line, '^%S+')
    local use = redis.call('ZSCORE', contents, reference)
    if use and reference ~= last and #answer < 3 * wanted then
      table.insert(answer, reference)
      table.insert(answer, redis.call('HGET', lengths, reference))
      table.insert(answer, use)
    end
    last = reference
  end
  if #found < 100 then break end
  from = '(' .. last .. '!'
end
return answer
"""
)

#: Correct sizes of what was not used since a time; then references with their sizes.
MEASURED = (
    HEAD
    + """
for i = 3, #ARGV, 2 do
  local use = redis.call('ZSCORE', contents, ARGV[i])
  if use and tonumber(use) < tonumber(ARGV[2]) then
    account(ARGV[i], ARGV[i + 1], use)
  end
end
return {'done'}
"""
)
