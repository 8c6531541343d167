//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// asmLevels lists the assembly that this processor can run. cpu obeys
// GODEBUG=cpu.avx512f=off and the like.
func asmLevels() []*level {
	var l []*level
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasFMA {
		l = append(l, avx512Level)
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		l = append(l, avx2Level)
	}
	return l
}

var avx512Level = &level{
	name: "avx512", lanes: 16, rows: 14, wrows: 12, block: 32, vector: avx512Vector,
	pack: pack_avx512, packRun: packRun_avx512,
	columns: [3][]func(int, *float32, *float32, *float32, *float32, int, int, uint64){
		1: {nil, columns_avx512_1x16, columns_avx512_2x16, columns_avx512_3x16, columns_avx512_4x16, columns_avx512_5x16, columns_avx512_6x16, columns_avx512_7x16, columns_avx512_8x16, columns_avx512_9x16, columns_avx512_10x16, columns_avx512_11x16},
		2: {nil, columns_avx512_1x32, columns_avx512_2x32, columns_avx512_3x32, columns_avx512_4x32, columns_avx512_5x32, columns_avx512_6x32, columns_avx512_7x32, columns_avx512_8x32, columns_avx512_9x32, columns_avx512_10x32, columns_avx512_11x32},
	},
	direct: [][5]func(int, *float32, *float32, *int64, *float32, *float32, int, int, int){
		1:  {1: direct_avx512_1x16, 2: direct_avx512_1x32, 4: direct_avx512_1x64},
		2:  {1: direct_avx512_2x16, 2: direct_avx512_2x32, 4: direct_avx512_2x64},
		3:  {1: direct_avx512_3x16, 2: direct_avx512_3x32, 4: direct_avx512_3x64},
		4:  {1: direct_avx512_4x16, 2: direct_avx512_4x32},
		5:  {1: direct_avx512_5x16, 2: direct_avx512_5x32},
		6:  {1: direct_avx512_6x16, 2: direct_avx512_6x32},
		7:  {1: direct_avx512_7x16, 2: direct_avx512_7x32},
		8:  {1: direct_avx512_8x16, 2: direct_avx512_8x32},
		9:  {1: direct_avx512_9x16, 2: direct_avx512_9x32},
		10: {1: direct_avx512_10x16, 2: direct_avx512_10x32},
		11: {1: direct_avx512_11x16, 2: direct_avx512_11x32},
		12: {1: direct_avx512_12x16, 2: direct_avx512_12x32},
		13: {1: direct_avx512_13x16, 2: direct_avx512_13x32},
		14: {1: direct_avx512_14x16, 2: direct_avx512_14x32},
	},
	gather: [6][]func(*float32, *float32, *uint64, int, int, int){
		1: {nil, gather_avx512_1x1, gather_avx512_1x2, gather_avx512_1x3, gather_avx512_1x4, gather_avx512_1x5, gather_avx512_1x6, gather_avx512_1x7, gather_avx512_1x8, gather_avx512_1x9, gather_avx512_1x10, gather_avx512_1x11, gather_avx512_1x12, gather_avx512_1x13, gather_avx512_1x14, gather_avx512_1x15},
		2: {nil, gather_avx512_2x1, gather_avx512_2x2, gather_avx512_2x3, gather_avx512_2x4, gather_avx512_2x5, gather_avx512_2x6, gather_avx512_2x7, gather_avx512_2x8, gather_avx512_2x9, gather_avx512_2x10, gather_avx512_2x11, gather_avx512_2x12, gather_avx512_2x13, gather_avx512_2x14, gather_avx512_2x15},
		3: {nil, gather_avx512_3x1, gather_avx512_3x2, gather_avx512_3x3, gather_avx512_3x4, gather_avx512_3x5, gather_avx512_3x6, gather_avx512_3x7, gather_avx512_3x8, gather_avx512_3x9, gather_avx512_3x10},
		5: {nil, gather_avx512_5x1, gather_avx512_5x2, gather_avx512_5x3, gather_avx512_5x4, gather_avx512_5x5, gather_avx512_5x6},
	},
	planeConv: [3][8][8]planeConv{
		1: {
			1: {1: planeConv1x1s1_avx512, 2: planeConv1x2s1_avx512},
			2: {1: planeConv2x1s1_avx512, 2: planeConv2x2s1_avx512, 3: planeConv2x3s1_avx512},
			3: {2: planeConv3x2s1_avx512, 3: planeConv3x3s1_avx512, 4: planeConv3x4s1_avx512},
			4: {3: planeConv4x3s1_avx512, 4: planeConv4x4s1_avx512},
			5: {5: planeConv5x5s1_avx512},
			7: {7: planeConv7x7s1_avx512},
		},
		2: {
			2: {2: planeConv2x2s2_avx512},
			3: {3: planeConv3x3s2_avx512},
			4: {4: planeConv4x4s2_avx512},
			5: {5: planeConv5x5s2_avx512},
			7: {7: planeConv7x7s2_avx512},
		},
	},
	channels: [3][]channelConv{
		1: {nil, channels1s1_avx512, channels2s1_avx512, channels3s1_avx512, channels4s1_avx512, channels5s1_avx512, channels6s1_avx512, channels7s1_avx512},
		2: {nil, channels1s2_avx512, channels2s2_avx512, channels3s2_avx512, channels4s2_avx512, channels5s2_avx512, channels6s2_avx512, channels7s2_avx512},
	},
	clipRows:  clipRows_avx512,
	padRows:   [3]func(*float32, *float32, *uint32, int, int, int, int, int, int){1: padRows1_avx512, 2: padRows2_avx512},
	transpose: transpose_avx512, scatter: scatter_avx512, nonzero: nonzero_avx512, summary: summary_avx512,
	tile: [3][]func(int, *float32, *float32, *float32, *float32, int, int, uint64){
		1: {nil, tile_avx512_1x16, tile_avx512_2x16, tile_avx512_3x16, tile_avx512_4x16, tile_avx512_5x16, tile_avx512_6x16, tile_avx512_7x16, tile_avx512_8x16, tile_avx512_9x16, tile_avx512_10x16, tile_avx512_11x16, tile_avx512_12x16, tile_avx512_13x16, tile_avx512_14x16},
		2: {nil, tile_avx512_1x32, tile_avx512_2x32, tile_avx512_3x32, tile_avx512_4x32, tile_avx512_5x32, tile_avx512_6x32, tile_avx512_7x32, tile_avx512_8x32, tile_avx512_9x32, tile_avx512_10x32, tile_avx512_11x32, tile_avx512_12x32, tile_avx512_13x32, tile_avx512_14x32},
	},
	wtile: [3][]func(*float32, *int64, *int64, int, *float32, *float32, int, int){
		1: {nil, wtile_avx512_1x16, wtile_avx512_2x16, wtile_avx512_3x16, wtile_avx512_4x16, wtile_avx512_5x16, wtile_avx512_6x16, wtile_avx512_7x16, wtile_avx512_8x16, wtile_avx512_9x16, wtile_avx512_10x16, wtile_avx512_11x16, wtile_avx512_12x16},
		2: {nil, wtile_avx512_1x32, wtile_avx512_2x32, wtile_avx512_3x32, wtile_avx512_4x32, wtile_avx512_5x32, wtile_avx512_6x32, wtile_avx512_7x32, wtile_avx512_8x32, wtile_avx512_9x32, wtile_avx512_10x32, wtile_avx512_11x32, wtile_avx512_12x32},
	},
	dots: []dotKernel{
		{4, 6, dot_avx512_4x6},
		{2, 6, dot_avx512_2x6},
		{1, 6, dot_avx512_1x6},
		{4, 1, dot_avx512_4x1},
		{2, 1, dot_avx512_2x1},
		{1, 1, dot_avx512_1x1},
	},
	relu:        relu_avx512,
	reluGrad:    reluGrad_avx512,
	add:         add_avx512,
	addReLU:     addReLU_avx512,
	scaleShift:  scaleShift_avx512,
	blend:       blend_avx512,
	logistic:    logistic_avx512,
	sgd:         sgd_avx512,
	momentum:    momentum_avx512,
	adam:        adam_avx512,
	rmsprop:     rmsprop_avx512,
	sum:         sum_avx512,
	sumSquares:  sumSquares_avx512,
	sumProducts: sumProducts_avx512,
	maxPool2:    maxPool2_avx512,
	fillRows:    [5]func(*float32, int, int, *float32, int, int, int, int, int, uint64){1: fillRows1_avx512, 2: fillRows2_avx512, 4: fillRows4_avx512},
	winogradIn:  [7]func(*float32, *float32, int, int){4: winogradIn4_avx512, 6: winogradIn6_avx512}, winogradOut: [11]func(*float32, *float32, int, int, int, int, *int64, int, *float32, int){6: winogradOut4x2_avx512, 8: winogradOut6x2_avx512, 10: winogradOut6x4_avx512},
	lrn:       lrn_avx512,
	copyRows:  copyRows_avx512,
	maxWindow: [3]func(*float32, *int32, *float32, int, int, int, int, int, int, int, int, int32, int32, int32, int32) int{1: maxWindow1_avx512, 2: maxWindow2_avx512},
}

var avx2Level = &level{
	name: "avx2", lanes: 8, rows: 6, wrows: 6, block: 32, vector: avx2Vector,
	pack: pack_avx2, packRun: packRun_avx2,
	columns: [3][]func(int, *float32, *float32, *float32, *float32, int, int, uint64){
		1: {nil, columns_avx2_1x8, columns_avx2_2x8, columns_avx2_3x8, columns_avx2_4x8, columns_avx2_5x8, columns_avx2_6x8},
		2: {nil, columns_avx2_1x16, columns_avx2_2x16, columns_avx2_3x16, columns_avx2_4x16, columns_avx2_5x16, columns_avx2_6x16},
	},
	direct: [][5]func(int, *float32, *float32, *int64, *float32, *float32, int, int, int){
		1: {1: direct_avx2_1x8, 2: direct_avx2_1x16},
		2: {1: direct_avx2_2x8, 2: direct_avx2_2x16},
		3: {1: direct_avx2_3x8, 2: direct_avx2_3x16},
		4: {1: direct_avx2_4x8, 2: direct_avx2_4x16},
		5: {1: direct_avx2_5x8, 2: direct_avx2_5x16},
		6: {1: direct_avx2_6x8, 2: direct_avx2_6x16},
	},
	gather: [6][]func(*float32, *float32, *uint64, int, int, int){
		1: {nil, gather_avx2_1x1, gather_avx2_1x2, gather_avx2_1x3, gather_avx2_1x4, gather_avx2_1x5, gather_avx2_1x6, gather_avx2_1x7, gather_avx2_1x8, gather_avx2_1x9, gather_avx2_1x10, gather_avx2_1x11, gather_avx2_1x12, gather_avx2_1x13, gather_avx2_1x14},
		2: {nil, gather_avx2_2x1, gather_avx2_2x2, gather_avx2_2x3, gather_avx2_2x4, gather_avx2_2x5, gather_avx2_2x6, gather_avx2_2x7},
		3: {nil, gather_avx2_3x1, gather_avx2_3x2, gather_avx2_3x3, gather_avx2_3x4},
		5: {nil, gather_avx2_5x1, gather_avx2_5x2},
	},
	planeConv: [3][8][8]planeConv{
		1: {
			1: {1: planeConv1x1s1_avx2, 2: planeConv1x2s1_avx2},
			2: {1: planeConv2x1s1_avx2, 2: planeConv2x2s1_avx2, 3: planeConv2x3s1_avx2},
			3: {2: planeConv3x2s1_avx2, 3: planeConv3x3s1_avx2, 4: planeConv3x4s1_avx2},
			4: {3: planeConv4x3s1_avx2, 4: planeConv4x4s1_avx2},
			5: {5: planeConv5x5s1_avx2},
			7: {7: planeConv7x7s1_avx2},
		},
		2: {
			2: {2: planeConv2x2s2_avx2},
			3: {3: planeConv3x3s2_avx2},
			4: {4: planeConv4x4s2_avx2},
			5: {5: planeConv5x5s2_avx2},
			7: {7: planeConv7x7s2_avx2},
		},
	},
	channels: [3][]channelConv{
		1: {nil, channels1s1_avx2, channels2s1_avx2, channels3s1_avx2, channels4s1_avx2, channels5s1_avx2, channels6s1_avx2, channels7s1_avx2},
		2: {nil, channels1s2_avx2, channels2s2_avx2, channels3s2_avx2, channels4s2_avx2, channels5s2_avx2, channels6s2_avx2, channels7s2_avx2},
	},
	clipRows:  clipRows_avx2,
	padRows:   [3]func(*float32, *float32, *uint32, int, int, int, int, int, int){1: padRows1_avx2, 2: padRows2_avx2},
	transpose: transpose_avx2, scatter: scatter_avx2, nonzero: nonzero_avx2, summary: summary_avx2,
	tile: [3][]func(int, *float32, *float32, *float32, *float32, int, int, uint64){
		1: {nil, tile_avx2_1x8, tile_avx2_2x8, tile_avx2_3x8, tile_avx2_4x8, tile_avx2_5x8, tile_avx2_6x8},
		2: {nil, tile_avx2_1x16, tile_avx2_2x16, tile_avx2_3x16, tile_avx2_4x16, tile_avx2_5x16, tile_avx2_6x16},
	},
	wtile: [3][]func(*float32, *int64, *int64, int, *float32, *float32, int, int){
		1: {nil, wtile_avx2_1x8, wtile_avx2_2x8, wtile_avx2_3x8, wtile_avx2_4x8, wtile_avx2_5x8, wtile_avx2_6x8},
		2: {nil, wtile_avx2_1x16, wtile_avx2_2x16, wtile_avx2_3x16, wtile_avx2_4x16, wtile_avx2_5x16, wtile_avx2_6x16},
	},
	dots: []dotKernel{
		{2, 4, dot_avx2_2x4},
		{1, 4, dot_avx2_1x4},
		{2, 1, dot_avx2_2x1},
		{1, 1, dot_avx2_1x1},
	},
	relu:        relu_avx2,
	reluGrad:    reluGrad_avx2,
	add:         add_avx2,
	addReLU:     addReLU_avx2,
	scaleShift:  scaleShift_avx2,
	blend:       blend_avx2,
	logistic:    logistic_avx2,
	sgd:         sgd_avx2,
	momentum:    momentum_avx2,
	adam:        adam_avx2,
	rmsprop:     rmsprop_avx2,
	sum:         sum_avx2,
	sumSquares:  sumSquares_avx2,
	sumProducts: sumProducts_avx2,
	maxPool2:    maxPool2_avx2,
	fillRows:    [5]func(*float32, int, int, *float32, int, int, int, int, int, uint64){1: fillRows1_avx2, 2: fillRows2_avx2, 4: fillRows4_avx2},
	lrn:         lrn_avx2,
	winogradIn:  [7]func(*float32, *float32, int, int){4: winogradIn4_avx2, 6: winogradIn6_avx2},
	winogradOut: [11]func(*float32, *float32, int, int, int, int, *int64, int, *float32, int){6: winogradOut4x2_avx2, 8: winogradOut6x2_avx2, 10: winogradOut6x4_avx2},
	copyRows:    copyRows_avx2,
	maxWindow:   [3]func(*float32, *int32, *float32, int, int, int, int, int, int, int, int, int32, int32, int32, int32) int{1: maxWindow1_avx2, 2: maxWindow2_avx2},
}
