-- Rotates over the paths given as arguments, with the header fields a browser sends with a segment request,
-- and prints one JSON line at the end. With "new" as the first argument no two header blocks are the same.
local requests = {}
local turn = 0
local is_new = false

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
  is_new = args[1] == "new"
  for place = 2, #args do
    local head = wrk.format("GET", args[place], fields)
    requests[#requests + 1] = is_new and head:sub(1, -3) .. "X-Request: " or head
  end
end

function request()
  turn = turn + 1
  local head = requests[turn % #requests + 1]
  return is_new and head .. turn .. "\r\n\r\n" or head
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'JSON {"requests": %d, "bytes": %d, "duration_us": %d, "errors": %d, "p50_us": %d, "p99_us": %d, "p999_us": %d}\n',
    summary.requests, summary.bytes, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
