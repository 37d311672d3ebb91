--[[
  After term.lua.

  Writes a part of a whole new app index, apart from the one that is read, under the term of a leading Supervisor. A draft that
  another one began meanwhile is theirs.

  KEYS[1] draft (hash, name -> JSON, and ':owner')   KEYS[2] newest term (string, signed)
  ARGV[1] term, signed   ARGV[2] owner   ARGV[3] 1 for the first part, else 0
  ARGV[4..] name, JSON, name, JSON ...

  Returns {1 when written, else 0; the newest term, as it is signed}
]]
local newer = newerTerm(KEYS[2])
if newer then return {0, newer} end

if ARGV[3] == '1' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], ':owner', ARGV[2])
elseif redis.call('HGET', KEYS[1], ':owner') ~= ARGV[2] then
  return {0, ARGV[1]}
end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {1, ARGV[1]}
