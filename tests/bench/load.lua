-- For wrk: rotates over the requests of a file, reads every answer, prints one line of JSON.
-- Arguments: the file (path, tab, cookie; one request a line), and the fewest bytes of an answer.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  requests = {}
  for line in io.lines(arguments[1]) do
    local path, cookie = line:match("^([^\t]+)\t(.+)$")
    requests[#requests + 1] = wrk.format("GET", path, { ["Cookie"] = cookie })
  end
  fewest = tonumber(arguments[2])
  turn, good, bad = 0, 0, 0
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function response(status, headers, body)
  if status == 200 and #body >= fewest and body:find('name="SAMLResponse"', 1, true) then
    good = good + 1
  else
    bad = bad + 1
  end
end

function done(summary, latency, requests)
  local good, bad, errors = 0, 0, summary.errors
  for _, thread in ipairs(threads) do
    good = good + thread:get("good")
    bad = bad + thread:get("bad")
  end
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  print(string.format(
    'RESULT {"seconds":%.6f,"good":%d,"bad":%d,"failed":%d,"p50_ms":%.3f,"p99_ms":%.3f}',
    summary.duration / 1e6, good, bad, failed,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
