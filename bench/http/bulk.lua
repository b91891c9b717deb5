-- Bodies of 500 subscribers that nobody has yet.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
local base = os.time() .. "-" .. math.random(1, 1000000)
request = function()
  local t = {}
  for i = 1, 500 do
    n = n + 1
    t[i] = '{"subscriberId":"s-' .. base .. "-" .. n .. '","firstName":"Ada","email":"ada' .. n .. '@example.com"}'
  end
  return wrk.format(nil, nil, nil, '{"subscribers":[' .. table.concat(t, ",") .. "]}")
end
