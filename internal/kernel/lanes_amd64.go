//go:build amd64 && !purego

package kernel

var avx512Lanes = &laneOps{
	gather: laneGather_avx512, copy: laneCopy_avx512,
	winogradIn: laneWinogradIn_avx512, winogradOut: laneWinogradOut_avx512,
	max: laneMax3_avx512,
	tile: []laneProduct{
		nil, laneTile1_avx512, laneTile2_avx512, laneTile3_avx512, laneTile4_avx512, laneTile5_avx512, laneTile6_avx512, laneTile7_avx512, laneTile8_avx512, laneTile9_avx512, laneTile10_avx512, laneTile11_avx512, laneTile12_avx512, laneTile13_avx512, laneTile14_avx512,
	},
}

var avx2Lanes = &laneOps{
	gather: laneGather_avx2, copy: laneCopy_avx2,
	winogradIn: laneWinogradIn_avx2, winogradOut: laneWinogradOut_avx2,
	max: laneMax3_avx2,
	tile: []laneProduct{
		nil, laneTile1_avx2, laneTile2_avx2, laneTile3_avx2, laneTile4_avx2, laneTile5_avx2, laneTile6_avx2,
	},
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
