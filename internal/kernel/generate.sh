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
# NEON has the programs of AVX2.
for part in avx2 lanes_avx2 depthwise_avx2 vector_avx2; do
	go run ./neon -in ../${part}_amd64.s -stubs ../stubs_${part}_amd64.go -out ../$(echo $part | sed s/avx2/neon/)_arm64.s
done
go run ./neon -pools -out ../pools_neon_arm64.s
go run ./neon -table ../level_amd64.go -var avx2Level -out ../level_neon_arm64.go
go run ./neon -table ../lanes_amd64.go -var avx2Lanes -out ../lanes_neon_arm64.go
go run ./neon -table ../vector_avx2_amd64.go -var avx2Vector -out ../vector_neon_arm64.go
cd ..
gofmt -w stubs_*_amd64.go *_arm64.go
