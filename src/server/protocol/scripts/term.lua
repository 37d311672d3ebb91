--[[
  Stands in front of every script that writes under the term of a leading Supervisor; ARGV[1] is that term, signed.
]]
-- As in envelope.ts. What is not signed counts as not there.
local function orderOf(text)
  return tonumber(string.match(text or '', '^signed1%.%x+%.(%d+)%.') or '') or -1
end
-- The newest term, as it is signed, if it is newer than the writer's; otherwise the writer's is the newest from now on.
local function newerTerm(key)
  local newest = redis.call('GET', key)
  if orderOf(newest) > orderOf(ARGV[1]) then return newest end
  if orderOf(newest) < orderOf(ARGV[1]) then redis.call('SET', key, ARGV[1]) end
end

