--[[
  Takes, renews or asks for the lease of one environment.

  KEYS[1] lease (string, JSON, with expiry)
  KEYS[2] last holder (string, JSON {epoch, instance}, no expiry)
  KEYS[3] names of all environments (set)
  KEYS[4] standby: the instance that asked last and did not get it (string, with expiry)

  ARGV[1] environment
  ARGV[2] lease as JSON; its epoch is the one last held by the claimer, 0 for none
  ARGV[3] time to live, ms
  ARGV[4] '1' when a lease nobody holds may be taken by a newcomer
  ARGV[5] proof: fingerprint of the database whose session lock the claimer holds, or ''

  Returns {'renewed'|'taken', epoch} or {'other', epoch, instance} or {'nobody'}
]]
local claim = cjson.decode(ARGV[2])
local current = redis.call('GET', KEYS[1])
local epoch

if current then
  local held = cjson.decode(current)
  if held.instance == claim.instance then
    epoch = held.epoch
  elseif ARGV[5] == '' or held.provenBy ~= ARGV[5] then
    redis.call('SET', KEYS[4], claim.instance, 'PX', ARGV[3])
    return { 'other', string.format('%.0f', held.epoch), held.instance }
  end
end

local result = epoch and 'renewed' or 'taken'
if not epoch then
  local last = redis.call('GET', KEYS[2])
  local lastEpoch, lastInstance = 0, nil
  if last then
    local decoded = cjson.decode(last)
    lastEpoch, lastInstance = decoded.epoch, decoded.instance
  end
  if claim.epoch > 0 and claim.epoch >= lastEpoch and (lastInstance == nil or lastInstance == claim.instance) then
    -- The last holder comes back, after an expiry or a flush: nobody was in between.
    epoch = claim.epoch
  elseif ARGV[4] == '1' or current then
    local time = redis.call('TIME')
    epoch = math.max(lastEpoch + 1, claim.epoch + 1, time[1] * 1000 + math.floor(time[2] / 1000))
  else
    return { 'nobody' }
  end
  redis.call('SADD', KEYS[3], ARGV[1])
  redis.call('SET', KEYS[2], cjson.encode({ epoch = epoch, instance = claim.instance }))
end

claim.epoch = epoch
if ARGV[5] ~= '' then claim.provenBy = ARGV[5] end
redis.call('SET', KEYS[1], cjson.encode(claim), 'PX', ARGV[3])
return { result, string.format('%.0f', epoch) }
