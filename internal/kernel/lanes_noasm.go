//go:build purego || (!amd64 && !arm64)

package kernel

var noLaneOps = &laneOps{}

func (lv *level) laneOps() *laneOps { return noLaneOps }
