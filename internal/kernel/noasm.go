//go:build purego || !amd64

package kernel

func asmLevels() []*level { return nil }
