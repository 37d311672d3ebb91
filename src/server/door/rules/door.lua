-- What rules cannot say of an answer: which cookies it may set, where uploads are, which fields were for one connection only
-- (src/server/proxy/cookies.ts, upload-addresses.ts, headers.ts). Nothing here may take more than linear time.
local KINDS = { 'nb_auth_token_', 'nb_authenticator_', 'nb_role_', 'nb_csrf_token_' }
local PINS = 'app_environment'
local UPLOADS = os.getenv('DOOR_PUBLIC_PATH') .. 'storage/uploads/'
local FILES = os.getenv('DOOR_PUBLIC_PATH') .. 'files/'
local names = Map.new(os.getenv('DOOR_NAMES'), Map._str) -- changes as HAProxy's own maps do

local function passes(name, app)
  if name == PINS then return false end
  if name:sub(1, 3) ~= 'nb_' then return true end
  for _, kind in ipairs(KINDS) do
    if name:sub(1, #kind) == kind then return name:sub(#kind + 1) == app end
  end
  local at = name:find('_', math.max(3, #name - 50), true)
  while at do
    local owner = name:sub(at + 1)
    if owner == app then return true end
    if owner == 'main' or names:lookup(owner) then return false end
    at = name:find('_', at + 1, true)
  end
  return true
end

local function is_blank(byte) return byte == 32 or (byte >= 9 and byte <= 13) or byte == 160 end

local function trimmed(text)
  local first, last = 1, #text
  while first <= last and is_blank(text:byte(first)) do first = first + 1 end
  while last >= first and is_blank(text:byte(last)) do last = last - 1 end
  return text:sub(first, last)
end

-- `=nb_role_main=x` is sent back as its value, in which the next reader finds a name
local function name_of(pair)
  local first = 1
  while first <= #pair do
    local byte = pair:byte(first)
    if byte ~= 32 and byte ~= 9 and byte ~= 61 then break end
    first = first + 1
  end
  local rest = pair:sub(first)
  local stop = rest:find('[=;]')
  return trimmed(stop and rest:sub(1, stop - 1) or rest)
end

local function split(text, separator)
  local parts, from = {}, 1
  while true do
    local at = text:find(separator, from, true)
    if not at then break end
    parts[#parts + 1] = text:sub(from, at - 1)
    from = at + 1
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

local function without_domain(cookie)
  local kept = {}
  for i, part in ipairs(split(cookie, ';')) do
    if i == 1 or name_of(part):lower() ~= 'domain' then kept[#kept + 1] = part end
  end
  return table.concat(kept, ';')
end

local function all_of(headers, name)
  local all = {}
  for i = 0, #(headers[name] or {}) do
    if headers[name] and headers[name][i] then all[#all + 1] = headers[name][i] end
  end
  return all
end

-- A path that leaves its folder, or may do so for a reader that decodes it.
local function leaves_folder(path)
  local plain = path:lower():gsub('%%2e', '.'):gsub('%%2f', '/'):gsub('%%5c', '/'):gsub('\\', '/')
  for _, part in ipairs(split(plain, '/')) do
    if part == '.' or part == '..' then return true end
  end
  return false
end

-- The address at which the visitor finds an upload; otherwise unchanged.
local function visitor_location(location, app, host)
  local target = location
  if location:sub(1, 8):lower():find('^https?://') then
    local from = location:find('//', 1, true) + 2
    local to = location:find('[/?#]', from) or #location + 1
    if location:sub(from, to - 1):lower() ~= host:lower() then return location end
    target = location:sub(to)
  end
  if target:sub(1, #UPLOADS) ~= UPLOADS then return location end
  local upload = target:sub(#UPLOADS + 1)
  local stop = upload:find('[?#]')
  if leaves_folder(stop and upload:sub(1, stop - 1) or upload) then return location end
  return FILES .. app .. '/~uploads/' .. upload
end

local KEPT = { ['content-length'] = true, ['content-type'] = true, cookie = true, host = true, authorization = true,
  ['set-cookie'] = false, connection = true, upgrade = true, ['transfer-encoding'] = true }

core.register_action('read', { 'http-res' }, function(txn)
  local app, headers = txn:get_var('txn.name'), txn.http:res_get_headers()
  for _, value in ipairs(all_of(headers, 'connection')) do
    for _, part in ipairs(split(value:lower(), ',')) do
      local name = trimmed(part)
      if name ~= '' and not KEPT[name] then txn.http:res_del_header(name) end
    end
  end
  local cookies = all_of(txn.http:res_get_headers(), 'set-cookie')
  txn.http:res_del_header('set-cookie')
  for _, cookie in ipairs(cookies) do
    if passes(name_of(cookie), app) then txn.http:res_add_header('set-cookie', without_domain(cookie)) end
  end
  local locations, status = all_of(headers, 'location'), txn.f:status()
  if #locations == 1 and status >= 300 and status <= 399 then
    txn.http:res_set_header('location', visitor_location(locations[1], app, txn:get_var('txn.host')))
  end
  txn:unset_var('txn.unread')
end)
