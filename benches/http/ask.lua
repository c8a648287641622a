-- Asks with the tokens of a file, the first ones far oftener than the last.
local requests = {}

function init(arguments)
    for token in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("GET", "/", { Authorization = "Bearer " .. token })
    end
end

function request()
    local even = math.random()
    return requests[math.floor(even * even * #requests) + 1]
end

function done(summary)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("answers %d failed %d microseconds %d\n", summary.requests, failed,
        summary.duration))
end
