-- For wrk: batches of args[2] readings, JSON array (default) or ndjson (args[3]).
local requests = {}
local at = 0

function init(args)
  local size = tonumber(args[2] or 1000)
  local lines = args[3] == "ndjson"
  local headers = {
    ["Content-Type"] = lines and "application/x-ndjson" or "application/json",
    ["Authorization"] = "Bearer " .. args[1],
  }
  for b = 0, 9 do
    local items = {}
    for i = 1, size do
      items[i] = string.format(
        '{"equipmentId":"PUMP-%04d","value":%.2f,"timestamp":"2026-01-%02dT%02d:%02d:%02d.250Z"}',
        i % 2000, 20 + i % 97 / 10, 1 + i % 28, b, i % 60, i % 59)
    end
    local body = lines and table.concat(items, "\n") or "[" .. table.concat(items, ",") .. "]"
    requests[b] = wrk.format("POST", "/api/v1/readings", headers, body)
  end
end

function request()
  at = (at + 1) % 10
  return requests[at]
end

function done(summary, latency)
  io.write(string.format("RESULT %.0f %.2f %.2f %d %d\n",
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.connect + summary.errors.read
      + summary.errors.write + summary.errors.timeout,
    summary.requests))
end
