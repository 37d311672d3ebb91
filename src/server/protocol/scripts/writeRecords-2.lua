--[[
  After term.lua.

  Writes and removes records under the term of a leading Supervisor: nothing when a newer term has written. A record is written
  only when its generation is not older than the stored one of its name, and when it is for the environment's incarnation; an
  incarnation only when it is newer, and then the records of the older one are removed.

  KEYS[1] records (hash, name -> signed JSON)   KEYS[2] newest term (string, signed)
  ARGV[1] term, signed   ARGV[2] field of the records' version   ARGV[3] the new version
  ARGV[4] field of the environment's incarnation   ARGV[5] the incarnation that is admitted, -1 to leave it   ARGV[6] the same, signed
  ARGV[7] the incarnation that records are published for, -1 for none   ARGV[8] how many names are removed
  ARGV[9..] those names, then name, generation, signed JSON, name, generation, signed JSON ...

  Returns {1 when written, 0 if the incarnation is another one or the term is over; the newest term, as it is signed}
]]
local newer = newerTerm(KEYS[2])
if newer then return {0, newer} end

local incarnation = orderOf(redis.call('HGET', KEYS[1], ARGV[4]))
local admitted = tonumber(ARGV[5])
local published = tonumber(ARGV[7])
if published >= 0 and published ~= incarnation then return {0, ARGV[1]} end

local removed = tonumber(ARGV[8])
local changed = removed > 0
if incarnation < admitted then
  if admitted > 0 then redis.call('DEL', KEYS[1]) end
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[6])
  changed = true
end
for i = 9, 8 + removed do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 9 + removed, #ARGV, 3 do
  if orderOf(redis.call('HGET', KEYS[1], ARGV[i])) <= tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    changed = true
  end
end
if changed then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return {1, ARGV[1]}
