--[[
  Stands in front of every script: what a text says that is signed as in envelope.ts. What is not signed counts as not there.
]]
local function orderOf(text)
  return tonumber(string.match(text or '', '^signed1%.%x+%.(%d+)%.') or '') or -1
end
local function valueOf(text)
  local body = string.match(text or '', '^signed1%.%x+%.%d+%.[%w_-]+%.(.*)$')
  local ok, value = pcall(cjson.decode, body or '')
  if ok and type(value) == 'table' and type(value.epoch) == 'number' then return value end
end
-- Whether an instance has announced itself in a tenure, and nobody after it.
local function isHeldBy(key, instance, epoch)
  local held = valueOf(redis.call('GET', key))
  return held and held.instance == instance and held.epoch == tonumber(epoch)
end
-- The newest term of a leading Supervisor, as it is signed, if it is newer than the writer's, which ARGV[1] is; otherwise that is the newest
-- from now on.
local function newerTerm(key)
  local newest = redis.call('GET', key)
  if orderOf(newest) > orderOf(ARGV[1]) then return newest end
  if orderOf(newest) < orderOf(ARGV[1]) then redis.call('SET', key, ARGV[1]) end
end

