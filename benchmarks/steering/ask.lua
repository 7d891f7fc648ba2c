-- Playback requests of viewers all over the fleet; the file is in the environment: wrk takes no argument before it starts.
local asked = {}
for line in io.lines(os.getenv("ASKED")) do
  local title, client = line:match("(%S+) (%S+)")
  asked[#asked + 1] = string.format('{"title":"%s","client":"%s"}', title, client)
end
local turn = 0
local headers = { ["Content-Type"] = "application/json" }
function request()
  turn = turn % #asked + 1
  return wrk.format("POST", "/v1/playback", headers, asked[turn])
end
