--[[
  Answers a value and deletes it: of several that ask at once, one gets it.

  KEYS[1] the value (string)
]]
local value = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return value
