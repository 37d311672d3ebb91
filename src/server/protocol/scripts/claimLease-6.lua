--[[
  Takes, renews or requests the lease of one environment.

  KEYS[1] lease (string, JSON {epoch, instance, provenBy, signed}, with expiry)
  KEYS[2] last holder (string, JSON {epoch, instance}, no expiry)
  KEYS[3] names of all environments (set)
  KEYS[4] standby: the instance that last requested it and did not get it (string, signed, with expiry)
  KEYS[5] statuses (hash)   KEYS[6] version of the statuses

  ARGV[1] environment
  ARGV[2] JSON {epoch, instance, signed}; the epoch is the one last held by the claimer, 0 for none
  ARGV[3] time to live, ms
  ARGV[4] '1' if a newcomer may take a lease that nobody holds
  ARGV[5] proof: fingerprint of the database whose session lock the claimer holds, or ''
  ARGV[6] a stored lease that the claimer does not believe: it counts as absent   ARGV[7] the standby's entry, signed
  ARGV[8] the epoch has to be higher than this: what databases know of former holders
  ARGV[9] when it was sent, by the clock of this server as the claimer knows it, in ms; '' where it does not. The time to live counts
  from then: a claim that a frozen server or a stalled link keeps says nothing of its claimer when it is read

  Returns {the server's time in ms, time to live in ms, result ...}: 'renewed'|'taken', epoch; 'other', epoch, instance, stored lease;
  'nobody'; or 'mine', epoch, instance, stored lease where the claimer does not know that epoch: nothing was done
]]
local function decode(text)
  local ok, value = pcall(cjson.decode, text or '')
  -- A foreign value counts as absent: it must not keep an environment out forever. cjson cannot write more than 14 digits.
  if ok and type(value) == 'table' and type(value.epoch) == 'number' and value.epoch < 1e14 then return value end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[3])
if ARGV[9] ~= '' then ttl = math.max(1, ttl - math.max(0, now - ARGV[9])) end
local function answer(...)
  return { string.format('%.0f', now), ttl, ... }
end

local claim = cjson.decode(ARGV[2])
local stored = redis.call('GET', KEYS[1])
if stored and stored == ARGV[6] then
  redis.call('DEL', KEYS[1])
  stored = nil
end
local held = decode(stored)
local epoch
local above = tonumber(ARGV[8]) or 0

if held then
  if held.instance == claim.instance then
    if held.epoch ~= claim.epoch then return answer('mine', string.format('%.0f', held.epoch), claim.instance, stored) end
    if held.epoch > above then epoch = held.epoch end
  elseif claim.epoch > held.epoch then
    -- The store is an older copy, or lost its content: the claimer took over from the one that is named here.
  elseif ARGV[5] == '' or held.provenBy ~= ARGV[5] then
    redis.call('SET', KEYS[4], ARGV[7], 'PX', ttl)
    return answer('other', string.format('%.0f', held.epoch), held.instance, stored)
  end
end

local result = epoch and 'renewed' or 'taken'
if not epoch then
  local last = decode(redis.call('GET', KEYS[2])) or { epoch = 0 }
  local wasMine = last.instance == nil or last.instance == claim.instance
  if claim.epoch > above and claim.epoch >= last.epoch and (wasMine or held and claim.epoch > held.epoch) then
    -- The last holder comes back, after an expiry or a flush: nobody held the lease in between, or only its predecessor.
    epoch = claim.epoch
    if held then redis.call('DEL', KEYS[5], KEYS[6]) end
  elseif ARGV[4] == '1' or held then
    epoch = math.max(last.epoch + 1, claim.epoch + 1, above + 1, now)
    -- The reports of the last holder are not valid for the new one.
    redis.call('DEL', KEYS[5], KEYS[6])
  else
    return answer('nobody')
  end
  redis.call('SADD', KEYS[3], ARGV[1])
  redis.call('SET', KEYS[2], cjson.encode({ epoch = epoch, instance = claim.instance }))
  if redis.call('GET', KEYS[4]) == ARGV[7] then redis.call('DEL', KEYS[4]) end
end

claim.epoch = epoch
if ARGV[5] ~= '' then claim.provenBy = ARGV[5] end
redis.call('SET', KEYS[1], cjson.encode(claim), 'PX', ttl)
return answer(result, string.format('%.0f', epoch))
