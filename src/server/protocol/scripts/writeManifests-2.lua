--[[
  Writes items of a hash (manifests, ends of sign-ins), each only if it is newer than the stored one.

  KEYS[1] hash, field -> signed JSON   KEYS[2] its version
  ARGV[1] next version   ARGV field, at, signed JSON, field, at, signed JSON ...
]]
for i = 2, #ARGV, 3 do
  if orderOf(redis.call('HGET', KEYS[1], ARGV[i])) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('SET', KEYS[2], ARGV[1])
  end
end
