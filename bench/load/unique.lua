-- For wrk: unique readings. Arguments: token, readings in a request, first number, begin in seconds.
-- Reading n is of sensor WRK-(n modulo 2,000), at the instant begin + n / 2,000 seconds.
local SENSORS = 2000
local threads = {}
local stamp, stamped_at = "", -1

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  head = "POST /api/v1/readings HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. args[1]
    .. "\r\nContent-Type: application/json\r\nContent-Length: "
  size = tonumber(args[2])
  number = tonumber(args[3])
  begin = tonumber(args[4])
end

local function reading()
  local at = math.floor(number / SENSORS)
  if at ~= stamped_at then
    stamp, stamped_at = os.date("!%Y-%m-%dT%H:%M:%SZ", begin + at), at
  end
  local body = string.format('{"equipmentId":"WRK-%05d","value":%.2f,"timestamp":"%s"}',
    number % SENSORS, 100 + number * 7919 % 90000 / 100, stamp)
  number = number + 1
  return body
end

function request()
  local body
  if size == 1 then
    body = reading()
  else
    local items = {}
    for i = 1, size do items[i] = reading() end
    body = "[" .. table.concat(items, ",") .. "]"
  end
  return head .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "lasted_s": %.3f, "p50_ms": %.2f, "p90_ms": %.2f, "p99_ms": %.2f, '
      .. '"p999_ms": %.2f, "status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, '
      .. '"next": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000,
    latency:percentile(90) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000,
    errors.status, errors.connect, errors.read, errors.write, errors.timeout,
    threads[1]:get("number")))
end
