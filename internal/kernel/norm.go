package kernel

// checkPlanes panics unless every slice holds n*c*hw values.
func checkPlanes(n, c, hw int, slices ...[]float32) {
	if n < 0 || c < 1 || hw < 0 {
		panic("kernel: negative size")
	}
	for _, s := range slices {
		if len(s) < n*c*hw {
			panic("kernel: slice is shorter than n*c*hw")
		}
	}
}

func checkChannels(c int, slices ...[]float32) {
	for _, s := range slices {
		if len(s) != c {
			panic("kernel: slice does not have one value per channel")
		}
	}
}

// LRN is local response normalisation across channels,
//
//	dst[c] = src[c] / (bias + alpha/size * sum over c' of src[c']^2)^beta,
//
// c' from c-(size-1)/2 to c-(size-1)/2+size-1 where they exist. dst and src are
// [n][c][hw] and must not overlap.
func (e *Engine) LRN(n, c, hw int, dst, src []float32, size int, alpha, beta, bias float64) {
	checkPlanes(n, c, hw, dst, src)
	if size < 1 {
		panic("kernel: LRN: bad size")
	}
	e.pool.For(n, func(i, worker int) {
		d, s := dst[i*c*hw:][:c*hw], src[i*c*hw:][:c*hw]
		for p := range hw {
			refLRN(c, hw, p, d, s, size, alpha, beta, bias)
		}
	})
}

// LRNGrad is the gradient of LRN: dx from dy and the layer's input x, all
// [n][c][hw]. dx must not overlap the others.
func (e *Engine) LRNGrad(n, c, hw int, dx, dy, x []float32, size int, alpha, beta, bias float64) {
	checkPlanes(n, c, hw, dx, dy, x)
	if size < 1 {
		panic("kernel: LRNGrad: bad size")
	}
	e.pool.For(n, func(i, worker int) {
		o, d, s := dx[i*c*hw:][:c*hw], dy[i*c*hw:][:c*hw], x[i*c*hw:][:c*hw]
		for p := range hw {
			refLRNGrad(c, hw, p, o, d, s, size, alpha, beta, bias)
		}
	})
}

// BatchNormTrain normalises each channel by its statistics in the batch:
//
//	y = (x - mean)*invstd*gamma + beta,  invstd = 1/sqrt(var + eps),
//
// with mean and (biased) variance over images and positions. x and y are
// [n][c][hw], gamma and beta are [c]; mean and invstd, [c], are overwritten.
// The variance is 1/invstd^2 - eps. y may be x.
func (e *Engine) BatchNormTrain(n, c, hw int, y, x, gamma, beta, mean, invstd []float32, eps float64) {
	checkPlanes(n, c, hw, y, x)
	checkChannels(c, gamma, beta, mean, invstd)
	e.pool.For(c, func(k, worker int) {
		refBatchNormTrain(k, n, c, hw, y, x, gamma, beta, mean, invstd, eps)
	})
}

// BatchNormGrad is the gradient of BatchNormTrain, through the statistics too:
//
//	dbeta = sum dy,  dgamma = sum dy*xh,  xh = (x - mean)*invstd,
//	dx = gamma*invstd*(dy - dbeta/m - xh*dgamma/m),  m = n*hw.
//
// dx, dy, x are [n][c][hw], the others [c]; dx, dgamma and dbeta are
// overwritten. dx may be dy.
func (e *Engine) BatchNormGrad(n, c, hw int, dx, dgamma, dbeta, dy, x, gamma, mean, invstd []float32) {
	checkPlanes(n, c, hw, dx, dy, x)
	checkChannels(c, dgamma, dbeta, gamma, mean, invstd)
	e.pool.For(c, func(k, worker int) {
		refBatchNormGrad(k, n, c, hw, dx, dgamma, dbeta, dy, x, gamma, mean, invstd)
	})
}
