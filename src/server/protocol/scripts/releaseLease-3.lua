--[[
  Releases a lease immediately; does nothing to a lease of another instance.

  KEYS[1] lease   KEYS[2] statuses (hash)   KEYS[3] version of the statuses
  ARGV[1] instance   ARGV[2] epoch

  Returns 1 if it was released, otherwise 0
]]
local current = redis.call('GET', KEYS[1])
if not current then return 0 end
local held = cjson.decode(current)
if held.instance ~= ARGV[1] or held.epoch ~= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
