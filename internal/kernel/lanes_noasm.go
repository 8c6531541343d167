//go:build !amd64 || purego

package kernel

var noLaneOps = &laneOps{}

func (lv *level) laneOps() *laneOps { return noLaneOps }
