--[[
  After term.lua.

  Writes a change of the directory under the term of a leading Supervisor, unless a newer term has written: a change of what is
  there, if that is still as the writer left it, or the whole of a draft (draftAppIndex-2.lua), if that is still the writer's.

  KEYS[1] directory (hash, name -> JSON)   KEYS[2] its last changes (list of signed JSON)   KEYS[3] supervisor (signed JSON)
  KEYS[4] newest term (string, signed)   KEYS[5] draft (hash)
  ARGV[1] term, signed   ARGV[2] owner of the draft, empty where it is a change   ARGV[3] version that the writer left, where it is a change
  ARGV[4] the change   ARGV[5] supervisor   ARGV[6] how many changes are kept   ARGV[7] how many names are gone
  ARGV[8..] those names, then name, JSON, name, JSON ...

  Returns {1 when written, else 0; the newest term, as it is signed}
]]
local newer = newerTerm(KEYS[4])
if newer then return {0, newer} end

if ARGV[2] ~= '' then
  if redis.call('HGET', KEYS[5], ':owner') ~= ARGV[2] then return {0, ARGV[1]} end
  local draft = redis.call('HGETALL', KEYS[5])
  redis.call('DEL', KEYS[1])
  redis.call('DEL', KEYS[2])
  for i = 1, #draft, 2 do
    if draft[i] ~= ':owner' then redis.call('HSET', KEYS[1], draft[i], draft[i + 1]) end
  end
  redis.call('DEL', KEYS[5])
else
  local last = redis.call('LINDEX', KEYS[2], -1)
  -- As in envelope.ts; its signature is for readers.
  local ok, change = pcall(cjson.decode, string.match(last or '', '^signed1%.%x+%.%d+%.[%w_-]+%.(.*)$') or '')
  local current = ok and type(change) == 'table' and change.version or ''
  if current ~= ARGV[3] then return {0, ARGV[1]} end
  local gone = tonumber(ARGV[7])
  for i = 8, 7 + gone do redis.call('HDEL', KEYS[1], ARGV[i]) end
  for i = 8 + gone, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('RPUSH', KEYS[2], ARGV[4])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[6]), -1)
redis.call('SET', KEYS[3], ARGV[5])
return {1, ARGV[1]}
