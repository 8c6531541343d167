package onnx

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// A skeleton is a model file without the weights: a copy in which the data of
// each larger tensor is replaced by the place where it is. The file is streamed:
// what is skipped is never read, and weights are later read straight to where
// they belong, so that loading takes little more memory than the weights do.

// inlineData is the length up to which a tensor's data stays in the skeleton.
const inlineData = 256

// maxSkeleton bounds what is not weights.
const maxSkeleton = 1 << 28

// messages on the way to tensors: their fields that are messages in turn.
var modelFields = modelTree()

func modelTree() fieldTree {
	tensor := fieldTree{9: nil, 4: nil}
	sparse := fieldTree{1: tensor, 2: tensor}
	attribute := fieldTree{5: tensor, 22: sparse}
	node := fieldTree{5: attribute}
	graph := fieldTree{1: node, 5: tensor, 15: sparse}
	attribute[6] = graph
	return fieldTree{7: graph, 25: {7: node, 11: attribute}}
}

type fieldTree map[protowire.Number]fieldTree

// maxMessages bounds how deep messages lie inside each other: three for each
// graph inside a node, and some.
const maxMessages = 3*maxDepth + 10

// skeletonReader copies a file of the given size.
type skeletonReader struct {
	r    io.ReaderAt
	buf  *bufio.Reader
	at   int64 // of the next byte
	size int64
	left int // bytes that the skeleton may still take
	deep int // messages around the one at hand
}

// skeleton returns the skeleton of a model file.
func skeleton(r io.ReaderAt, size int64) ([]byte, error) {
	s := &skeletonReader{r: r, size: size, left: maxSkeleton}
	s.seek(0)
	b, err := s.message(size, modelFields, nil)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("not a readable ONNX file: %w", err)
	}
	return b, nil
}

func (s *skeletonReader) seek(at int64) {
	s.at = at
	section := io.NewSectionReader(s.r, at, max(s.size-at, 0))
	if s.buf == nil {
		s.buf = bufio.NewReaderSize(section, 1<<14)
	} else {
		s.buf.Reset(section)
	}
}

// skip leaves out n bytes.
func (s *skeletonReader) skip(n int64) error {
	if n <= int64(s.buf.Buffered()) {
		_, err := s.buf.Discard(int(n))
		s.at += n
		return err
	}
	s.seek(s.at + n)
	return nil
}

func (s *skeletonReader) varint() (uint64, error) {
	var v uint64
	for shift := 0; shift < 70; shift += 7 {
		b, err := s.buf.ReadByte()
		if err != nil {
			return 0, err
		}
		s.at++
		if shift == 63 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, errors.New("a number is too long")
}

// read appends the next n bytes to dst.
func (s *skeletonReader) read(dst []byte, n int64) ([]byte, error) {
	if n > s.size-s.at {
		return nil, io.ErrUnexpectedEOF
	}
	if n > int64(s.left) {
		return nil, errors.New("the graph takes too much memory")
	}
	s.left -= int(n)
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	_, err := io.ReadFull(s.buf, dst[at:])
	s.at += n
	return dst, err
}

// message appends the message that ends at end to dst. tree says which of its
// fields are messages that may hold tensors; a tensor's fields have none.
func (s *skeletonReader) message(end int64, tree fieldTree, dst []byte) ([]byte, error) {
	for s.at < end {
		tag, err := s.varint()
		if err != nil {
			return nil, err
		}
		num, typ := protowire.DecodeTag(tag)
		if num < protowire.MinValidNumber || num > protowire.MaxValidNumber {
			return nil, fmt.Errorf("field number %d", num)
		}
		var length int64
		switch typ {
		case protowire.VarintType:
			v, err := s.varint()
			if err != nil {
				return nil, err
			}
			if num < elsewhere {
				dst = protowire.AppendVarint(protowire.AppendTag(dst, num, typ), v)
			}
		case protowire.Fixed32Type, protowire.Fixed64Type:
			length = 4
			if typ == protowire.Fixed64Type {
				length = 8
			}
			if s.at+length > end {
				return nil, io.ErrUnexpectedEOF
			}
			if num == elsewhere {
				if err := s.skip(length); err != nil {
					return nil, err
				}
				continue
			}
			if dst, err = s.read(protowire.AppendTag(dst, num, typ), length); err != nil {
				return nil, err
			}
		case protowire.BytesType:
			v, err := s.varint()
			if err != nil {
				return nil, err
			}
			if v > math.MaxInt64/2 || s.at+int64(v) > end {
				return nil, io.ErrUnexpectedEOF
			}
			length = int64(v)
			sub, inside := tree[num]
			switch {
			case num == elsewhere:
				err = s.skip(length)
			case inside && sub != nil:
				dst, err = s.nested(s.at+length, sub, protowire.AppendTag(dst, num, typ))
			case inside && length > inlineData:
				place := binary.LittleEndian.AppendUint64(nil, uint64(s.at))
				place = binary.LittleEndian.AppendUint64(place, uint64(length))
				floats := byte(0)
				if num == 4 {
					floats = 1
				}
				dst = protowire.AppendBytes(protowire.AppendTag(dst, elsewhere, typ), append(place, floats))
				err = s.skip(length)
			default:
				dst, err = s.read(protowire.AppendVarint(protowire.AppendTag(dst, num, typ), v), length)
			}
			if err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("field %d has wire type %d", num, typ)
		}
		if len(dst) > maxSkeleton {
			return nil, errors.New("the graph takes too much memory")
		}
	}
	if s.at != end {
		return nil, io.ErrUnexpectedEOF
	}
	return dst, nil
}

// nested appends the message that ends at end, with its length in front, in
// place: copied from level to level, deep files would take their size many times.
func (s *skeletonReader) nested(end int64, tree fieldTree, dst []byte) ([]byte, error) {
	if s.deep++; s.deep > maxMessages {
		return nil, fmt.Errorf("graphs lie inside each other more than %d deep", maxDepth)
	}
	const width = 5 // of the length, which may end in zeros: up to 2^35
	at := len(dst)
	dst, err := s.message(end, tree, append(dst, make([]byte, width)...))
	if err != nil {
		return nil, err
	}
	s.deep--
	length := len(dst) - at - width
	for i := range width {
		dst[at+i] = byte(length>>(7*i))&0x7f | 0x80
	}
	dst[at+width-1] &= 0x7f
	return dst, nil
}
