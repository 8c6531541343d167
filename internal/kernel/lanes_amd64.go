//go:build amd64 && !purego

package kernel

var avx512Lanes = &laneOps{
	gather: laneGather_avx512, copy: laneCopy_avx512,
	winogradIn: laneWinogradIn_avx512, winogradOut: laneWinogradOut_avx512,
	max: laneMax3_avx512,
}

var noLaneOps = &laneOps{}

func (lv *level) laneOps() *laneOps {
	if lv == avx512Level {
		return avx512Lanes
	}
	return noLaneOps
}
