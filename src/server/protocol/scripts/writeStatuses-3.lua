--[[
  Writes statuses under a lease; only its holder may.

  KEYS[1] lease   KEYS[2] statuses (hash, name -> signed JSON)   KEYS[3] version of the statuses
  ARGV[1] instance   ARGV[2] epoch   ARGV[3] version   ARGV[4] the version that this changes; '' if these are all statuses
  ARGV[5] JSON list of names to remove   ARGV[6..] name, signed JSON, name, signed JSON ...

  Returns 1 if written, 0 if the lease is not the writer's, or the stored version is another one
]]
if not isHeldBy(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
if ARGV[4] == '' then
  redis.call('DEL', KEYS[2])
elseif (redis.call('GET', KEYS[3]) or '0') ~= ARGV[4] then
  return 0
end
local removed = cjson.decode(ARGV[5])
if #removed > 0 then redis.call('HDEL', KEYS[2], unpack(removed)) end
-- Many with one command, as far as Lua's stack allows.
for i = 6, #ARGV, 2000 do redis.call('HSET', KEYS[2], unpack(ARGV, i, math.min(i + 1999, #ARGV))) end
redis.call('SET', KEYS[3], ARGV[3])
return 1
