--[[
  Removes the items of apps that have ended, under the term of a leading Supervisor: nothing when a newer term has written. A
  process that drops its own items has no term.

  KEYS[1] manifests (hash, field -> signed JSON)   KEYS[2] version of the manifests   KEYS[3] newest term (string, signed)
  ARGV[1] term, signed, or ''   ARGV[2] next version   ARGV[3] JSON list of the apps' uids

  Returns {1 when done, else 0; the newest term, as it is signed}
]]
-- As in envelope.ts. What is not signed counts as not there.
local function orderOf(text)
  return tonumber(string.match(text or '', '^signed1%.%x+%.(%d+)%.') or '') or -1
end
if ARGV[1] ~= '' then
  local newest = redis.call('GET', KEYS[3])
  if orderOf(newest) > orderOf(ARGV[1]) then return {0, newest} end
  if orderOf(newest) < orderOf(ARGV[1]) then redis.call('SET', KEYS[3], ARGV[1]) end
end

local isEnded = {}
for _, uid in ipairs(cjson.decode(ARGV[3])) do isEnded[uid] = true end
local values = redis.call('HGETALL', KEYS[1])
local changed = false
for i = 1, #values, 2 do
  -- As in envelope.ts; its signature is for readers.
  local body = string.match(values[i + 1], '^signed1%.%x+%.%d+%.[%w_-]+%.(.*)$')
  local ok, signed = pcall(cjson.decode, body or '')
  if ok and type(signed) == 'table' and type(signed.item) == 'table' and isEnded[signed.item.uid] then
    redis.call('HDEL', KEYS[1], values[i])
    changed = true
  end
end
if changed then redis.call('SET', KEYS[2], ARGV[2]) end
return {1, ARGV[1]}
