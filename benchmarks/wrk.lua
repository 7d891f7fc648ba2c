-- Rotates over the paths given as arguments, with the header fields a browser sends with a segment request,
-- and prints one JSON line at the end.
local requests = {}
local turn = 0

function init(args)
  local fields = {
    ["Connection"] = "keep-alive",
    ["sec-ch-ua-platform"] = '"Linux"',
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ["sec-ch-ua"] = '"Chromium";v="140", "Not=A?Brand";v="24"',
    ["sec-ch-ua-mobile"] = "?0",
    ["Accept"] = "*/*",
    ["Origin"] = "http://watch.example",
    ["Sec-Fetch-Site"] = "cross-site",
    ["Sec-Fetch-Mode"] = "cors",
    ["Sec-Fetch-Dest"] = "empty",
    ["Referer"] = "http://watch.example/",
    ["Accept-Encoding"] = "gzip, deflate, br, zstd",
    ["Accept-Language"] = "en-US,en;q=0.9",
  }
  local distinct = tonumber(args[1])
  for number = 1, distinct do
    for place = 2, #args do
      if distinct > 1 then fields["X-Request"] = tostring(number) end
      requests[#requests + 1] = wrk.format("GET", args[place], fields)
    end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'JSON {"requests": %d, "bytes": %d, "duration_us": %d, "errors": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.bytes, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
