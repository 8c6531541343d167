package dataset

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
)

// Run with -fuzzminimizetime 20x: by default go test spends its time shrinking records of 3073 bytes.

// small fails the test if f allocates more than a small file gives reason to.
func small(t *testing.T, input int, f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(16<<20+8*maxRatio*input); got > limit {
		t.Errorf("allocated %d bytes for a file of %d, want at most %d", got, input, limit)
	}
}

// streams gives the bytes as a plain and as a gzip file.
func streams(b []byte) []*stream {
	src := &source{archive: true}
	var all []*stream
	for _, name := range []string{"f", "f.gz"} {
		if st, err := src.open(context.Background(), file{path: name, size: int64(len(b)), mem: b}, &Options{}); err == nil {
			all = append(all, st)
		}
	}
	return all
}

func FuzzIDX(f *testing.F) {
	f.Add(idx(make([]byte, 12), 3, 2, 2))
	f.Add(idx(make([]byte, 84), 1<<31, 28, 28))
	f.Add(gz(idx(make([]byte, 5000), 5, 10, 100)))
	f.Add(gz(idx(nil, 1<<16, 1<<16, 1<<16)))
	f.Add([]byte{0, 0, 8, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, st := range streams(b) {
			small(t, len(b), func() {
				shape, data, err := readIDX(st, 3)
				if err == nil && shape[0]*shape[1]*shape[2] != len(data) {
					t.Errorf("got %d values for shape %v", len(data), shape)
				}
			})
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(records(1, 2))
	f.Add(records(10))
	f.Add(records(1)[:100])
	f.Add(gz(records(1, 2, 3)))
	f.Add(gz(records(1))[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, st := range streams(b) {
			small(t, len(b), func() {
				records, err := readCIFAR(st, 10)
				if err == nil && len(records) == 0 {
					t.Error("got neither records nor an error")
				}
				for _, r := range records {
					if len(r) != cifarRecord || r[0] > 9 {
						t.Errorf("got a record of %d bytes, label %d", len(r), r[0])
					}
				}
			})
		}
	})
}

func FuzzTar(f *testing.F) {
	img := grey(3, 2, 1)
	f.Add(pack([]member{{"train/a/1.png", img}, {"test/b/1.png", img}}))
	f.Add(pack([]member{{"c/data_batch_1.bin", records(1)}}))
	f.Add(pack([]member{{"train-images-idx3-ubyte", idx(make([]byte, 4), 1, 2, 2)}, {"train-labels-idx1-ubyte", idx([]byte{1}, 1)}}))
	f.Add(gz(pack([]member{{"../../etc/a.png", img}, {"a/b.png", img[:20]}})))
	f.Add(pack([]member{{"a/1.png", img}})[:700])
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, st := range streams(b) {
			var d *Data
			small(t, len(b), func() {
				src, err := readTar(st)
				if err != nil {
					return
				}
				src.root = "fuzz.tar"
				d, err = openLayout(context.Background(), src, "fuzz", &Options{})
				if err != nil && !strings.Contains(err.Error(), "fuzz.tar") {
					t.Errorf("got error %q", err)
				}
			})
			if d == nil {
				continue
			}
			for _, s := range []*Set{d.Train, d.Test} {
				for i := range min(s.Len(), 20) {
					if l := s.Label(i); l < 0 || l >= len(d.Classes) {
						t.Errorf("item %d: got label %d of %d classes", i, l, len(d.Classes))
					}
					// A decoder may use a hundred bytes for each of 4 million pixels before it finds out.
					s.Item(i)
				}
			}
		}
	})
}

func TestReadN(t *testing.T) {
	big := make([]byte, 5<<20+3)
	for _, tt := range []struct {
		have int
		want int64
	}{{0, 0}, {10, 10}, {10, 9}, {9, 10}, {0, 1 << 30}, {5<<20 + 3, 5<<20 + 3}, {5 << 20, 1 << 40}} {
		b, err := readN(bytes.NewReader(big[:tt.have]), tt.want)
		if short := int64(tt.have) < tt.want; short != (err == io.ErrUnexpectedEOF) || int64(len(b)) != min(int64(tt.have), tt.want) || cap(b) > max(2*tt.have, 1<<20) {
			t.Errorf("%d of %d: got %d bytes, capacity %d, %v", tt.want, tt.have, len(b), cap(b), err)
		}
	}
}
