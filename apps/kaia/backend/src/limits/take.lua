-- KEYS: buckets. ARGV: for each its step and its depth in microseconds.
-- Answers {which refused or 0, microseconds that each is ahead of now …}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ahead = {}
for i, key in ipairs(KEYS) do
  local arrival = tonumber(redis.call('GET', key) or 0)
  local step, depth = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  ahead[i] = math.max(arrival - now, 0)
  if ahead[i] + step > depth then return {i, ahead[i]} end
end
for i, key in ipairs(KEYS) do
  ahead[i] = ahead[i] + tonumber(ARGV[2 * i - 1])
  redis.call('SET', key, string.format('%.0f', now + ahead[i]), 'PX', math.ceil(ahead[i] / 1000) + 1)
end
return {0, unpack(ahead)}
