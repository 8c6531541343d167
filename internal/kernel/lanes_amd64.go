//go:build amd64 && !purego

package kernel

var avx512Lanes = &laneOps{
	gather: laneGather_avx512, copy: laneCopy_avx512,
	winogradIn: laneWinogradIn_avx512, winogradOut: laneWinogradOut_avx512,
	max: laneMax3_avx512,
}

var avx2Lanes = &laneOps{
	gather: laneGather_avx2, copy: laneCopy_avx2,
	winogradIn: laneWinogradIn_avx2, winogradOut: laneWinogradOut_avx2,
	max: laneMax3_avx2,
}

var noLaneOps = &laneOps{}

func (lv *level) laneOps() *laneOps {
	switch lv {
	case avx512Level:
		return avx512Lanes
	case avx2Level:
		return avx2Lanes
	}
	return noLaneOps
}
