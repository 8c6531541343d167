# A list of scripts; .ci/run is the gate.
check:
	bash .ci/run
generate:
	bash internal/kernel/generate.sh
fuzz:
	go run ./internal/campaign/fuzz -for 10m
	go run ./internal/campaign/fuzz -for 10m -drawn
bench:
	go test -run xxx -bench . ./internal/kernel
golden:
	go test ./internal/render -update
.PHONY: check generate fuzz bench golden
