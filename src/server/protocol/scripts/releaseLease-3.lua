--[[
  Releases a lease immediately; does nothing to a lease of another instance.

  KEYS[1] lease   KEYS[2] statuses (hash)   KEYS[3] version of the statuses
  ARGV[1] instance   ARGV[2] epoch

  Returns 1 if it was released, otherwise 0
]]
if not isHeldBy(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
