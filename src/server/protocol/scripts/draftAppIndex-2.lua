--[[
  Writes a part of a whole new app index, apart from the one that is read, under the term of a leading Supervisor. A draft that
  another one began meanwhile is theirs.

  KEYS[1] draft (hash, name -> JSON, and ':owner')   KEYS[2] newest term (string, signed)
  ARGV[1] term, signed   ARGV[2] owner   ARGV[3] 1 for the first part, else 0
  ARGV[4..] name, JSON, name, JSON ...

  Returns {1 when written, else 0; the newest term, as it is signed}
]]
-- As in envelope.ts. What is not signed counts as not there.
local function orderOf(text)
  return tonumber(string.match(text or '', '^signed1%.%x+%.(%d+)%.') or '') or -1
end
local newest = redis.call('GET', KEYS[2])
if orderOf(newest) > orderOf(ARGV[1]) then return {0, newest} end
if orderOf(newest) < orderOf(ARGV[1]) then redis.call('SET', KEYS[2], ARGV[1]) end

if ARGV[3] == '1' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], ':owner', ARGV[2])
elseif redis.call('HGET', KEYS[1], ':owner') ~= ARGV[2] then
  return {0, ARGV[1]}
end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {1, ARGV[1]}
