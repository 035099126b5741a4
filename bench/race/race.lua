-- For wrk: unique readings for any peer.
-- Arguments: form (json or line), readings in a request, path, authorization or -, begin in seconds.
local SENSORS = 2000
local at, stamp = -1, ""
local number = 0

function init(args)
  form, size, begin = args[1], tonumber(args[2]), tonumber(args[5])
  head = "POST " .. args[3] .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
  if args[4] ~= "-" then head = head .. "Authorization: " .. args[4] .. "\r\n" end
  head = head .. "Content-Type: " .. (form == "json" and "application/json" or "text/plain")
    .. "\r\nContent-Length: "
end

local function reading()
  local now = begin + math.floor(number / SENSORS)
  local sensor, value = 10000 + number % SENSORS, 20 + number * 37 % 9973 / 100
  number = number + 1
  if form == "line" then
    return string.format("readings,equipmentId=EQ-%d value=%.2f %d000000000", sensor, value, now)
  end
  if now ~= at then at, stamp = now, os.date("!%Y-%m-%dT%H:%M:%SZ", now) end
  return string.format('{"equipmentId":"EQ-%d","timestamp":"%s","value":%.2f}', sensor, stamp, value)
end

function request()
  local body
  if size == 1 then
    body = reading()
  else
    local items = {}
    for i = 1, size do items[i] = reading() end
    body = table.concat(items, form == "json" and "," or "\n")
    if form == "json" then body = "[" .. body .. "]" end
  end
  return head .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "lasted_s": %.3f, "p50_ms": %.2f, "p99_ms": %.2f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
