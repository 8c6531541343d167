//go:build arm64 && !purego

package kernel

// asmLevels lists the assembly that this processor can run: every arm64 has NEON.
func asmLevels() []*level { return []*level{neonLevel} }

var noLaneOps = &laneOps{}

func (lv *level) laneOps() *laneOps {
	if lv == neonLevel {
		return neonLanes
	}
	return noLaneOps
}
