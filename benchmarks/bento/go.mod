module session-relay/benchmarks/bento

go 1.24

require github.com/warpstreamlabs/bento v1.19.0
