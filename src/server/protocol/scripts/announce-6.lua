--[[
  Announces who holds one environment, with its registration. Nobody is chosen here: the environment's main database has done that.

  KEYS[1] announcement (string, signed, with expiry)
  KEYS[2] registration (string, signed)   KEYS[3] names of all environments (set)
  KEYS[4] standby: who waits for the environment (string, signed, with expiry)
  KEYS[5] statuses (hash)   KEYS[6] version of the statuses

  ARGV[1] environment   ARGV[2] the announcement   ARGV[3] time to live, ms   ARGV[4] the registration
  ARGV[5] the announcer's entry as a standby, which goes
  ARGV[6] 1 if an older announcement of another installation is not in the way

  Returns {'me', 1 if this tenure, or its registration, was not there, else 0}; {'otherInstallation' or 'newer', key of what is in the way, its text}
]]
local mine = valueOf(ARGV[2])
local stored = redis.call('GET', KEYS[1])
local held = valueOf(stored)
local isKnown = held and held.instance == mine.instance and held.epoch == mine.epoch
-- Nothing else of this tenure has changed. If the registration or the name alone was removed, one in five beats writes it again.
if isKnown and held.registered == mine.registered and mine.beat % 5 > 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return { 'me', 0 }
end
local registration = redis.call('GET', KEYS[2])
local last = orderOf(registration)

local isElsewhere = held and held.instance ~= mine.instance and held.place ~= mine.place
if isElsewhere and (ARGV[6] ~= '1' or held.epoch >= mine.epoch) then return { 'otherInstallation', KEYS[1], stored } end
if held and (held.epoch > mine.epoch or held.epoch == mine.epoch and held.instance ~= mine.instance) then
  return { 'newer', KEYS[1], stored }
end
if last > mine.epoch then return { 'newer', KEYS[2], registration } end

-- What the last holder has reported is not valid for another one.
if last ~= mine.epoch then redis.call('DEL', KEYS[5], KEYS[6]) end
if registration ~= ARGV[4] then redis.call('SET', KEYS[2], ARGV[4]) end
redis.call('SADD', KEYS[3], ARGV[1])
if redis.call('GET', KEYS[4]) == ARGV[5] then redis.call('DEL', KEYS[4]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return { 'me', isKnown and last == mine.epoch and 0 or 1 }
