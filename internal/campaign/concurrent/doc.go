// Package concurrent has a test that uses one network, engine, plan, projector, scanner, explainer and session from many
// goroutines at once, which are cancelled at random, and compares all results with those of one goroutine:
//
//	go test -race ./internal/campaign/concurrent -rounds 1000
package concurrent
