--[[
  Announces who holds one environment, with its registration. Nobody is chosen here: the environment's main database has done that.

  KEYS[1] announcement (string, JSON {epoch, instance, place, signed}, with expiry)
  KEYS[2] registration (string, signed)   KEYS[3] names of all environments (set)
  KEYS[4] standby: who waits for the environment (string, signed, with expiry)
  KEYS[5] statuses (hash)   KEYS[6] version of the statuses

  ARGV[1] environment   ARGV[2] the announcement   ARGV[3] time to live, ms   ARGV[4] the registration
  ARGV[5] a stored announcement, and ARGV[6] a stored registration, that the announcer does not believe: they count as absent
  ARGV[7] the announcer's entry as a standby, which goes

  Returns {'me', 1 if this tenure was not announced, else 0}; {'otherInstallation' or 'newer', what is stored of it}
]]
local function decode(text)
  local ok, value = pcall(cjson.decode, text or '')
  if ok and type(value) == 'table' and type(value.epoch) == 'number' then return value end
end
-- As in envelope.ts. What is not signed counts as not there.
local function orderOf(text)
  return tonumber(string.match(text or '', '^signed1%.%x+%.(%d+)%.') or '') or 0
end

local mine = decode(ARGV[2])
local stored = redis.call('GET', KEYS[1])
local held = stored ~= ARGV[5] and decode(stored) or nil
local registration = redis.call('GET', KEYS[2])
local last = registration ~= ARGV[6] and orderOf(registration) or 0

if held and held.instance ~= mine.instance and held.place ~= mine.place then return { 'otherInstallation', stored } end
if held and (held.epoch > mine.epoch or held.epoch == mine.epoch and held.instance ~= mine.instance) then
  return { 'newer', stored }
end
if last > mine.epoch then return { 'newer', registration } end

-- What the last holder has reported is not valid for another one.
if last ~= mine.epoch then redis.call('DEL', KEYS[5], KEYS[6]) end
if registration ~= ARGV[4] then redis.call('SET', KEYS[2], ARGV[4]) end
redis.call('SADD', KEYS[3], ARGV[1])
if redis.call('GET', KEYS[4]) == ARGV[7] then redis.call('DEL', KEYS[4]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local isKnown = held and held.instance == mine.instance and held.epoch == mine.epoch
return { 'me', isKnown and 0 or 1 }
