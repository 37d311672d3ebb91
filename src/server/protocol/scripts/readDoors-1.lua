--[[
  Reads reports of doors, which anybody who can write there has written: few, and none that is long.

  KEYS[1] hash (id of a door -> report)
  ARGV[1] how many at most   ARGV[2] length of a report at most, in bytes

  Returns {id, report, id, report ...}
]]
local found = {}
for _, id in ipairs(redis.call('HRANDFIELD', KEYS[1], ARGV[1])) do
  if #id <= 40 and redis.call('HSTRLEN', KEYS[1], id) <= tonumber(ARGV[2]) then
    found[#found + 1] = id
    found[#found + 1] = redis.call('HGET', KEYS[1], id)
  end
end
return found
