package onnx

import "github.com/deconvnet/viz/model"

// matMulNBits multiplies by a matrix [K, N] whose columns are cut into blocks of
// small numbers, packed into bytes, the first in the lowest bits.
func matMulNBits(c *converter, n *node) error {
	k, columns := n.int("K", 0), n.int("N", 0)
	bits, size := n.int("bits", 4), n.int("block_size", 0)
	if k < 1 || columns < 1 || k > maxSize || columns > maxSize || size < 2 || size > maxSize || bits != 2 && bits != 4 && bits != 8 || size*bits%8 != 0 {
		return refuse("it multiplies by %dx%d numbers of %d bits in blocks of %d", k, columns, bits, size)
	}
	if len(n.inputs) > 4 && n.inputs[4] != "" {
		return refuse("its blocks are in another order")
	}
	blocks := (k + size - 1) / size
	packed, err := c.need(n, 1)
	if err != nil {
		return err
	}
	scales, err := c.floats(n, 2)
	if err != nil {
		return err
	}
	if packed.i == nil || int64(packed.len()) != columns*blocks*(size*bits/8) || scales == nil || int64(scales.len()) != columns*blocks {
		return malformed("%v and scales %v for a matrix of %dx%d in blocks of %d", packed, scales, k, columns, size)
	}
	zero, err := c.blockZeros(n, columns, blocks, bits)
	if err != nil {
		return err
	}
	if err := c.spend(int(k * columns / 2)); err != nil {
		return err
	}
	w := &constant{dims: []int{int(k), int(columns)}, typ: typeFloat, f: make([]float32, k*columns)}
	mask := int64(1)<<bits - 1
	for col := range columns {
		for row := range k {
			block := col*blocks + row/size
			bit := row % size * bits
			q := packed.i[block*(size*bits/8)+bit/8] >> (bit % 8) & mask
			w.f[row*columns+col] = (float32(q) - zero(block)) * scales.f[block]
		}
	}
	if c.tensors[n.inputs[1]] != nil { // eight times as large as in the file: not kept
		delete(c.values, n.inputs[1])
	}
	a, err := c.arg(n, 0)
	if err != nil {
		return err
	}
	if a == nil {
		return malformed("input 0 is missing")
	}
	v, err := c.onReal(n, "MatMul", a, &value{k: w})
	if err != nil || len(n.inputs) < 6 || n.inputs[5] == "" {
		return err
	}
	bias, err := c.arg(n, 5)
	if err != nil {
		return err
	}
	return c.two(n, c.unique(c.layerName(n)+".bias"), model.BinaryAdd, v, bias)
}

// blockZeros returns the zero point of a block: the middle of the range, or input 3,
// as floats or packed, each column's from a byte of its own on.
func (c *converter) blockZeros(n *node, columns, blocks, bits int64) (func(block int64) float32, error) {
	z, err := c.constant(n, 3)
	switch row := (blocks*bits + 7) / 8; {
	case err != nil:
		return nil, err
	case z == nil:
		return func(int64) float32 { return float32(int64(1) << (bits - 1)) }, nil
	case z.f != nil && int64(z.len()) == columns*blocks:
		return func(block int64) float32 { return z.f[block] }, nil
	case z.f == nil && int64(z.len()) == columns*row:
		return func(block int64) float32 {
			bit := block % blocks * bits
			return float32(z.i[block/blocks*row+bit/8] >> (bit % 8) & (int64(1)<<bits - 1))
		}, nil
	}
	return nil, malformed("zero points are %v for %d blocks", z, columns*blocks)
}
