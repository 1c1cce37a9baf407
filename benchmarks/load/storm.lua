-- Posts the lines of a file in turn from every connection, with a pause before each request that
-- lies anywhere between half and one and a half times the mean (seconds, the second argument).
-- Prints one line of JSON at the end: how many answers of which status.
local requests, at, threads = {}, 0, {}
answered, refused, other = 0, 0, 0

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, line)
  end
  local mean = tonumber(args[2]) * 1000
  function delay()
    return math.floor(mean * (0.5 + math.random()))
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function response(status)
  if status == 200 then
    answered = answered + 1
  elseif status == 429 then
    refused = refused + 1
  else
    other = other + 1
  end
end

function done(summary)
  local totals = { answered = 0, refused = 0, other = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(totals) do
      totals[name] = totals[name] + thread:get(name)
    end
  end
  local errors = summary.errors
  print(string.format(
    '\n{"answered": %d, "refused": %d, "other": %d, "broken": %d, "seconds": %f}',
    totals.answered, totals.refused, totals.other,
    errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6))
end
