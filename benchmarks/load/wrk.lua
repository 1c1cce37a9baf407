-- Posts bodies in turn and prints one line of JSON at the end.
-- Arguments: their content type; a file of them, each after a line with its length in bytes; Authorization, if any.
local requests, at = {}, 0

function init(args)
  local headers = { ["Content-Type"] = args[1], ["Authorization"] = args[3] }
  local file = assert(io.open(args[2], "rb"))
  for length in function() return file:read("*l") end do
    requests[#requests + 1] = wrk.format("POST", nil, headers, file:read(tonumber(length)))
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  -- `requests` counts answers of any status; those that broke off or timed out come on top.
  print(string.format(
    '\n{"requests": %d, "status": %d, "broken": %d, "seconds": %f, "p50": %f, "p99": %f}',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
