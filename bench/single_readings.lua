-- For wrk: one reading a request, of 2,000 sensors in turn.
local requests = {}
local at = 0

function init(args)
  local headers = {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. args[1],
  }
  for i = 0, 1999 do
    local body = string.format(
      '{"equipmentId":"PUMP-%04d","value":%.2f,"timestamp":"2026-01-%02dT08:%02d:%02d.250Z"}',
      i, 20 + i % 97 / 10, 1 + i % 28, i % 60, i % 59)
    requests[i] = wrk.format("POST", "/api/v1/readings", headers, body)
  end
end

function request()
  at = (at + 1) % 2000
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
