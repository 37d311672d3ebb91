-- What wrk.ts runs wrk with. Its one argument, if any: how many bytes to upload in each request.

function init(args)
  if args[1] then
    wrk.method = "POST"
    wrk.body = string.rep("x", tonumber(args[1]))
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('SUMMARY {"duration":%d,"requests":%d,"p50":%f,"p99":%f,"errors":%d}\n', summary.duration,
    summary.requests, latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
