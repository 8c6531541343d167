#!/bin/sh
# Writes the assembly of this package and its Go declarations.
set -e
cd "$(dirname "$0")/_asm"
for level in avx512 avx2; do
	go run . -level $level -pkg kernel -out ../${level}_amd64.s -stubs ../stubs_${level}_amd64.go
	go run . -level $level -part lanes -pkg kernel -out ../lanes_${level}_amd64.s -stubs ../stubs_lanes_${level}_amd64.go
	go run . -level $level -part depthwise -pkg kernel -out ../depthwise_${level}_amd64.s -stubs ../stubs_depthwise_${level}_amd64.go
	go run . -level $level -part vector -pkg kernel -out ../vector_${level}_amd64.s -stubs ../stubs_vector_${level}_amd64.go
done
cd ..
gofmt -w stubs_*_amd64.go
