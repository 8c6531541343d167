//go:build arm64 && !purego

package kernel

import "unsafe"

// The pools of this level take the inputs for whole numbers, which is faster and right where none is negative or NaN; the
// rows from the first on that has one go to what is translated of AVX2.

func maxPool2(dst *float32, switches *int32, src *float32, rows, cols, pitch int, at, w int32) {
	done := 0
	if cols >= 8 {
		run := maxPool2Values_neon
		if switches != nil {
			run = maxPool2Switches_neon
		}
		done = run(dst, switches, src, rows, cols, pitch, 2*pitch, 4*cols, at, w, 2*w)
	}
	if done < rows {
		maxPool2_neon(rowAt(dst, done, 4*cols), rowAt(switches, done, 4*cols), rowAt(src, done, 2*pitch), rows-done, cols, pitch, at+int32(done)*2*w, w)
	}
}

func maxWindow1(dst *float32, switches *int32, src *float32, rows, n, kh, kw, rowStep, colStep, srcStep, dstStep int, at, rowStepAt, colAt, nextAt int32) int {
	done := 0
	if n >= 8 && kh == 3 && kw == 3 && colStep == 4 && switches == nil {
		done = maxPool3Values1_neon(dst, nil, src, rows, n, rowStep, srcStep, dstStep, 0, 0, 0)
	}
	if done == rows {
		return 0
	}
	return maxWindow1_neon(rowAt(dst, done, dstStep), rowAt(switches, done, dstStep), rowAt(src, done, srcStep), rows-done, n, kh, kw,
		rowStep, colStep, srcStep, dstStep, at+int32(done)*nextAt, rowStepAt, colAt, nextAt)
}

func maxWindow2(dst *float32, switches *int32, src *float32, rows, n, kh, kw, rowStep, colStep, srcStep, dstStep int, at, rowStepAt, colAt, nextAt int32) int {
	done := 0
	if n >= 8 && kh == 3 && kw == 3 && colStep == 4 {
		run := maxPool3Values2_neon
		if switches != nil {
			run = maxPool3Switches2_neon
		}
		done = run(dst, switches, src, rows, n, rowStep, srcStep, dstStep, at, rowStepAt, nextAt)
	}
	if done == rows {
		return 0
	}
	return maxWindow2_neon(rowAt(dst, done, dstStep), rowAt(switches, done, dstStep), rowAt(src, done, srcStep), rows-done, n, kh, kw,
		rowStep, colStep, srcStep, dstStep, at+int32(done)*nextAt, rowStepAt, colAt, nextAt)
}

// rowAt is the beginning of row i, step bytes apart; nil stays nil.
func rowAt[T float32 | int32](p *T, i, step int) *T {
	if p == nil {
		return nil
	}
	return (*T)(unsafe.Add(unsafe.Pointer(p), i*step))
}
