--[[
  Writes records, each only if its generation is not older than the stored one of the same name: a Supervisor that
  lost the lead cannot undo what its successor published.

  KEYS[1] records (hash, name -> JSON)
  ARGV[1] field of their version   ARGV[2] the new version
  ARGV[3..] name, generation, JSON, name, generation, JSON ...

  Returns the number of written records
]]
local function generationOf(text)
  local ok, value = pcall(cjson.decode, text or '')
  -- A value that is not a record counts as absent.
  return ok and type(value) == 'table' and tonumber(value.generation) or -1
end

local written = 0
for i = 3, #ARGV, 3 do
  if generationOf(redis.call('HGET', KEYS[1], ARGV[i])) <= tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    written = written + 1
  end
end
if written > 0 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return written
