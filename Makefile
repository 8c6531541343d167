# A list of scripts; .ci/run is the gate.
check:
	bash .ci/run
generate:
	bash internal/kernel/generate.sh
fuzz:
	go test -run xxx -fuzz FuzzRead -fuzztime 60s -fuzzminimizetime 10x ./model
	go test -run xxx -fuzz FuzzRead -fuzztime 60s -fuzzminimizetime 10x ./model/onnx
	go test -run xxx -fuzz FuzzIDX -fuzztime 30s -fuzzminimizetime 10x ./internal/dataset
	go test -run xxx -fuzz FuzzCIFAR -fuzztime 30s -fuzzminimizetime 10x ./internal/dataset
	go test -run xxx -fuzz FuzzTar -fuzztime 30s -fuzzminimizetime 10x ./internal/dataset
bench:
	go test -run xxx -bench . ./internal/kernel
golden:
	go test ./internal/render -update
.PHONY: check generate fuzz bench golden
