--[[
  Writes items of a hash (manifests, ends of sign-ins), each only if it is newer than the stored one.

  KEYS[1] hash, field -> signed JSON   KEYS[2] its version
  ARGV[1] next version   ARGV field, at, signed JSON, field, at, signed JSON ...
]]
-- As in envelope.ts. What is not signed counts as not there.
local function timeOf(text)
  return tonumber(string.match(text or '', '^signed1%.%x+%.(%d+)%.') or '') or -1
end

for i = 2, #ARGV, 3 do
  if timeOf(redis.call('HGET', KEYS[1], ARGV[i])) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('SET', KEYS[2], ARGV[1])
  end
end
