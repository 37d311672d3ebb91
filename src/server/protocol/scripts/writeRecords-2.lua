--[[
  Writes and removes records under the term of a leading Supervisor: nothing when a newer term has written. A record is written
  only when its generation is not older than the stored one of its name, an incarnation only when it is newer.

  KEYS[1] records (hash, name -> JSON)   KEYS[2] newest term (string)
  ARGV[1] term   ARGV[2] field of the records' version   ARGV[3] the new version
  ARGV[4] field of the environment's incarnation   ARGV[5] the incarnation, -1 to leave it   ARGV[6] how many names are removed
  ARGV[7..] those names, then name, generation, JSON, name, generation, JSON ...

  Returns the newest term: another one than the writer's means that nothing was written
]]
local term = tonumber(ARGV[1])
local newest = tonumber(redis.call('GET', KEYS[2]) or '') or 0
if newest > term then return newest end
if newest < term then redis.call('SET', KEYS[2], ARGV[1]) end

local function generationOf(text)
  local ok, value = pcall(cjson.decode, text or '')
  -- What is not a record counts as not there.
  return ok and type(value) == 'table' and tonumber(value.generation) or -1
end

local removed = tonumber(ARGV[6])
local changed = removed > 0
if (tonumber(redis.call('HGET', KEYS[1], ARGV[4]) or '') or -1) < tonumber(ARGV[5]) then
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
  changed = true
end
for i = 7, 6 + removed do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 7 + removed, #ARGV, 3 do
  if generationOf(redis.call('HGET', KEYS[1], ARGV[i])) <= tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    changed = true
  end
end
if changed then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return term
