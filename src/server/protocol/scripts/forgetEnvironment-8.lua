--[[
  Removes everything about an environment, under the term of a leading Supervisor: nothing when a newer term has written, or when
  this floor of the environment, or a newer one, is known already: it may have come back meanwhile.

  KEYS[1] records (hash)   KEYS[2] newest term (string, signed)   KEYS[3] names of all environments (set)
  KEYS[4..8] its other keys
  ARGV[1] term, signed   ARGV[2] environment   ARGV[3] field of the records' mark, whose order is the floor
  ARGV[4] the floor that follows   ARGV[5] the new mark

  Returns {1 when removed, else 0; the newest term, as it is signed}
]]
local newer = newerTerm(KEYS[2])
if newer then return {0, newer} end

if orderOf(redis.call('HGET', KEYS[1], ARGV[3])) >= tonumber(ARGV[4]) then return {0, ARGV[1]} end
redis.call('SREM', KEYS[3], ARGV[2])
redis.call('DEL', KEYS[1], unpack(KEYS, 4))
redis.call('HSET', KEYS[1], ARGV[3], ARGV[5])
return {1, ARGV[1]}
