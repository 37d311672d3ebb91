--[[
  Writes a hash of the leading Supervisor, under its term, if it still is as the writer left it: what it has in the field of its mark.

  KEYS[1] hash (field -> signed text)   KEYS[2] newest term (string, signed)
  ARGV[1] term, signed   ARGV[2] field of the mark   ARGV[3] the mark that the writer left, '' for none   ARGV[4] the new one
  ARGV[5] how many fields are removed   ARGV[6..] those fields, then field, text, field, text ...

  Returns {1 when written, else 0; the newest term, as it is signed}
]]
local newer = newerTerm(KEYS[2])
if newer then return {0, newer} end

if (redis.call('HGET', KEYS[1], ARGV[2]) or '') ~= ARGV[3] then return {0, ARGV[1]} end
local removed = tonumber(ARGV[5])
for i = 6, 5 + removed do redis.call('HDEL', KEYS[1], ARGV[i]) end
-- Many with one command, as far as Lua's stack allows.
for i = 6 + removed, #ARGV, 2000 do redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + 1999, #ARGV))) end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
return {1, ARGV[1]}
