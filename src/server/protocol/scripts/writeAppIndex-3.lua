--[[
  Writes a change of the app index if it is still as the writer left it. If it was lost meanwhile, or another
  Supervisor wrote in between, the writer has to write all of it.

  KEYS[1] app index (hash, name -> JSON)   KEYS[2] its last changes (list of JSON {version, names})   KEYS[3] supervisor
  ARGV[1] version that the writer left, empty if there is none   ARGV[2] the change   ARGV[3] supervisor
  ARGV[4] number of changes to keep   ARGV[5] number of removed names
  ARGV[6..] those names, then name, JSON, name, JSON ...

  Returns 1 if written, otherwise 0
]]
local last = redis.call('LINDEX', KEYS[2], -1)
local ok, change = pcall(cjson.decode, last or '')
local current = ok and type(change) == 'table' and change.version or ''
if current ~= ARGV[1] then return 0 end

local gone = tonumber(ARGV[5])
for i = 6, 5 + gone do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 6 + gone, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[4]), -1)
redis.call('SET', KEYS[3], ARGV[3])
return 1
