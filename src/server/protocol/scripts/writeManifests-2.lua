--[[
  Writes items of manifests, each only if it is newer than the stored one.

  KEYS[1] manifests (hash, field -> JSON)   KEYS[2] version of the manifests
  ARGV[1] next version   ARGV field, at, JSON, field, at, JSON ...
]]
local function timeOf(text)
  local ok, value = pcall(cjson.decode, text or '')
  -- A value that is not an item counts as absent.
  return ok and type(value) == 'table' and tonumber(value.at) or -1
end

for i = 2, #ARGV, 3 do
  if timeOf(redis.call('HGET', KEYS[1], ARGV[i])) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    redis.call('SET', KEYS[2], ARGV[1])
  end
end
