-- Counts that several machines share. One script, so that each call is one round trip and nothing comes between
-- looking and taking. Times are those of this server's clock.
--
-- KEYS[1]    the prefix in braces: what belongs to no count
-- KEYS[2..]  one count each; `:l` and `:r` behind it are its open reservations and its exchanges under way
--
-- A count is a hash: `q` and `t`, what was taken of a minute's requests and tokens, with `q@` and `t@`, when; `v`, money
-- set aside; `D`, the last day seen; `d`, `w` and `m`, spent on that day, in its week, in its month.

local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local millis = math.floor(micros / 1000)
local today = math.floor(time[1] / 86400)
local NEVER = -1
-- A count that nobody asks for is forgotten: later than its month, or than its minute and its debt.
local KEPT, IDLE = 3000000, 300

local function whole(number) return string.format('%.0f', number) end

-- The day of the month (Howard Hinnant, "chrono-compatible low-level date algorithms").
local function date(day)
  local days = day + 719468
  local era = math.floor(days / 146097)
  local doe = days - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  return doy - math.floor((153 * math.floor((5 * doy + 2) / 153) + 2) / 5) + 1
end

local function start(per, day)
  if per == 'd' then return day end
  if per == 'w' then return day - (day + 3) % 7 end
  return day - date(day) + 1
end

local function after(per, day)
  if per == 'd' then return day + 1 end
  if per == 'w' then return start('w', day) + 7 end
  return start('m', start('m', day) + 31)
end

-- A count as it stands now. A clock that goes back opens no old period, and gives nothing back.
local function read(key)
  local expired = redis.call('ZRANGEBYSCORE', key .. ':l', '-inf', millis, 'LIMIT', 0, 100)
  for _, member in ipairs(expired) do
    redis.call('ZREM', key .. ':l', member)
    redis.call('HINCRBY', key, 'v', '-' .. string.match(member, ':(%d+)$'))
  end
  redis.call('ZREMRANGEBYSCORE', key .. ':r', '-inf', millis)
  local got = redis.call('HMGET', key, 'q', 'q@', 't', 't@', 'v', 'D', 'd', 'w', 'm')
  local number = function(place) return tonumber(got[place] or 0) end
  local count = { key = key, q = number(1), qt = number(2), t = number(3), tt = number(4) }
  count.v = math.max(0, number(5))
  local seen = number(6)
  count.day = math.max(today, seen)
  for place, per in ipairs({ 'd', 'w', 'm' }) do
    count[per] = start(per, count.day) > start(per, seen) and 0 or number(6 + place)
  end
  return count
end

local function flow(taken, at, limit)
  if at == 0 then return 0 end
  return math.max(0, taken - limit * math.max(0, micros - at) / 60000000)
end

-- Until so much fits into what is left of a minute's worth.
local function wait(taken, limit, want)
  if want == 0 then return 0 end
  if want > limit then return NEVER end
  return math.max(0, math.ceil((taken + want - limit - 0.000001) * 60000000 / limit))
end

local function keep(count, has_budgets)
  redis.call('EXPIRE', count.key, has_budgets and KEPT or IDLE)
  if has_budgets then redis.call('EXPIRE', count.key .. ':l', KEPT) end
end

local function book(count, amount)
  redis.call('HSET', count.key, 'D', whole(count.day), 'd', whole(count.d + amount), 'w', whole(count.w + amount),
    'm', whole(count.m + amount))
  keep(count, true)
end

local call = {}

-- Which Redis this is: an empty one takes the name that is offered.
function call.hello()
  redis.call('SET', KEYS[1] .. 'born', ARGV[2], 'NX')
  return redis.call('GET', KEYS[1] .. 'born')
end

-- take ID LEASE ADMIT TOKENS COST EXCHANGE, and for each count REQUESTS TOKENS CONCURRENT BUDGETS (PER AMOUNT)*; -1 bounds nothing.
-- All is taken or nothing: {0, count, what is short, micros to wait}, or {1}, and what is left of each count.
function call.take()
  local id, lease, admit = ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
  local tokens, cost = tonumber(ARGV[5]), tonumber(ARGV[6])
  local exchange, counts, place = ARGV[7], {}, 8
  local function next_number()
    place = place + 1
    return tonumber(ARGV[place - 1])
  end
  for number = 2, #KEYS do
    local count = read(KEYS[number])
    count.rpm, count.tpm, count.most = next_number(), next_number(), next_number()
    count.budgets = {}
    for _ = 1, next_number() do
      local per = ARGV[place]
      place = place + 1
      table.insert(count.budgets, { per = per, amount = next_number() })
    end
    if count.rpm >= 0 then count.q = flow(count.q, count.qt, count.rpm) end
    if count.tpm >= 0 then count.t = flow(count.t, count.tt, count.tpm) end
    counts[number - 1] = count
  end

  if admit then
    for number, count in ipairs(counts) do
      if count.most >= 0 and redis.call('ZCARD', count.key .. ':r') >= count.most then
        return { 0, number, 2, count.most > 0 and 1000000 or NEVER }
      end
      local until_room = count.rpm >= 0 and wait(count.q, count.rpm, 1) or 0
      if until_room ~= 0 then return { 0, number, 0, until_room } end
    end
  end
  for number, count in ipairs(counts) do
    local until_room = count.tpm >= 0 and wait(count.t, count.tpm, tokens) or 0
    if until_room ~= 0 then return { 0, number, 1, until_room } end
    for _, budget in ipairs(count.budgets) do
      if cost > 0 and count[budget.per] + count.v + cost > budget.amount then
        local ends = after(budget.per, count.day) * 86400000000 - micros
        return { 0, number, 3, cost > budget.amount and NEVER or ends }
      end
    end
  end

  local answer = { 1 }
  for _, count in ipairs(counts) do
    local has_budgets = #count.budgets > 0
    if admit and count.rpm >= 0 then
      count.q = count.q + 1
      redis.call('HSET', count.key, 'q', string.format('%.6f', count.q), 'q@', whole(micros))
    end
    if admit and count.most >= 0 then
      redis.call('ZADD', count.key .. ':r', millis + lease, exchange)
      redis.call('PEXPIRE', count.key .. ':r', lease * 2)
    end
    if count.tpm >= 0 and tokens > 0 then
      count.t = count.t + tokens
      redis.call('HSET', count.key, 't', string.format('%.6f', count.t), 't@', whole(micros))
    end
    if has_budgets and cost > 0 then
      redis.call('HINCRBY', count.key, 'v', whole(cost))
      redis.call('ZADD', count.key .. ':l', millis + lease, id .. ':' .. whole(cost))
    end
    keep(count, has_budgets)
    for _, bucket in ipairs({ { count.rpm, count.q }, { count.tpm, count.t } }) do
      local limit, taken = bucket[1], bucket[2]
      table.insert(answer, limit < 0 and NEVER or math.max(0, math.floor(limit - taken + 0.000001)))
      table.insert(answer, limit > 0 and math.ceil(taken * 60000000 / limit) or 0)
    end
    for _, field in ipairs({ 'day', 'd', 'w', 'm' }) do table.insert(answer, count[field]) end
  end
  return answer
end

local act = {}

-- Books what was spent.
function act.b(key, amount) book(read(key), tonumber(amount)) end

-- Books in one period what was spent before this Redis lost it.
function act.s(key, amount, period)
  local per, first = string.match(period, '^(%a)(%d+)$')
  local count = read(key)
  if start(per, count.day) ~= tonumber(first) then return end
  count[per] = count[per] + tonumber(amount)
  book(count, 0)
end

-- Corrects the tokens that were set aside.
function act.t(key, more, limit)
  local count = read(key)
  local taken = flow(count.t, count.tt, tonumber(limit)) + tonumber(more)
  taken = math.max(0, math.min(taken, tonumber(limit) * 2))
  redis.call('HSET', key, 't', string.format('%.6f', taken), 't@', whole(micros))
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, IDLE) end
end

-- Ends a reservation. One that has expired was given back then.
function act.l(key, id, cost)
  if redis.call('ZREM', key .. ':l', id .. ':' .. cost) == 1 then redis.call('HINCRBY', key, 'v', '-' .. cost) end
end

-- Ends an exchange.
function act.r(key, id) redis.call('ZREM', key .. ':r', id) end

-- Lets a reservation, and an exchange, go on; one that was forgotten meanwhile is back.
function act.L(key, id, cost)
  local isNew = redis.call('ZADD', key .. ':l', millis + tonumber(ARGV[5]), id .. ':' .. cost)
  if isNew == 1 then redis.call('HINCRBY', key, 'v', cost) end
  redis.call('EXPIRE', key, KEPT)
  redis.call('EXPIRE', key .. ':l', KEPT)
end
function act.R(key, id)
  redis.call('ZADD', key .. ':r', millis + tonumber(ARGV[5]), id)
  redis.call('PEXPIRE', key .. ':r', ARGV[5] * 2)
end

-- post NODE BORN NUMBER LEASE, and (KIND COUNT A B)*. What one node posts has numbers that grow, so that what is posted
-- again, because nobody knows whether it arrived, counts once. 1 if it counts now or did before; 0 if this is
-- another Redis than it was posted to.
function call.post()
  local node = KEYS[1] .. 'node:' .. ARGV[2]
  if redis.call('GET', KEYS[1] .. 'born') ~= ARGV[3] then return 0 end
  local number = tonumber(ARGV[4])
  if number <= tonumber(redis.call('GET', node) or 0) then return 1 end
  redis.call('SET', node, ARGV[4], 'EX', 86400)
  for place = 6, #ARGV, 4 do
    act[ARGV[place]](KEYS[tonumber(ARGV[place + 1])], ARGV[place + 2], ARGV[place + 3])
  end
  return 1
end

-- board NODE, and for each further key what NODE says of it: nothing, oMS or cMS (it is left alone for so long: its breaker is
-- open, or it cools down), or - (no longer). Answers for each how long it is left alone, in milliseconds: below zero while it
-- cools down, 0 if nobody says so. What lasts longer stands; only who put it up takes it down.
function call.board()
  local node, answer = ARGV[2], {}
  for place = 2, #KEYS do
    local key, said = KEYS[place], ARGV[place + 1]
    local kind, left = string.match(said, '^([oc])(%d+)$')
    if kind and redis.call('PTTL', key) < tonumber(left) then
      redis.call('SET', key, kind .. node, 'PX', left)
    elseif said == '-' and string.sub(redis.call('GET', key) or '', 2) == node then
      redis.call('DEL', key)
    end
    local found = redis.call('GET', key)
    local sign = 0
    if found then sign = string.sub(found, 1, 1) == 'c' and -1 or 1 end
    answer[place - 1] = sign * math.max(1, redis.call('PTTL', key))
  end
  return answer
end

return call[ARGV[1]]()
