--[[
  Writes a part of a whole new app index, apart from the one that is read, under the term of a leading Supervisor. A draft that
  another one began meanwhile is theirs.

  KEYS[1] draft (hash, name -> JSON, and ':owner')   KEYS[2] newest term (string)
  ARGV[1] term   ARGV[2] owner   ARGV[3] 1 for the first part, else 0
  ARGV[4..] name, JSON, name, JSON ...

  Returns {1 when written, else 0; the newest term}
]]
local term = tonumber(ARGV[1])
local newest = tonumber(redis.call('GET', KEYS[2]) or '') or 0
if newest > term then return {0, newest} end
if newest < term then redis.call('SET', KEYS[2], ARGV[1]) end

if ARGV[3] == '1' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], ':owner', ARGV[2])
elseif redis.call('HGET', KEYS[1], ':owner') ~= ARGV[2] then
  return {0, term}
end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {1, term}
