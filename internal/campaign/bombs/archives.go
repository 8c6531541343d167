package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// zeros gives n zeros, which packed take a thousandth.
func zeros(n int64) io.Reader { return io.LimitReader(nothing{}, n) }

type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// ofData are the commands that take a data set.
var ofData = each("data list FILE", "eval --model cifar10 --data FILE", "classify --model cifar10 --data FILE", "features --model cifar10 --out OUT/x.idx --data FILE", "train --arch small --steps 1 --out OUT/c.bin --data FILE",
	"trials --data FILE --out OUT", "ablate --data FILE --out OUT", "rnn --data FILE --out OUT", "occlude --model cifar10 --data FILE --out OUT", "probe --model cifar10 --data FILE --out OUT", "transfer --model cifar10 --data FILE --out OUT")

// gzipped writes a gzip file of what is before and n zeros.
func gzipped(before []byte, n int64) func(string) error {
	return filled(func(f io.Writer) error {
		z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
		z.Write(before)
		if _, err := io.Copy(z, zeros(n)); err != nil {
			return err
		}
		return z.Close()
	})
}

// filled writes a file.
func filled(write func(io.Writer) error) func(string) error {
	return func(path string) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return write(f)
	}
}

// member is one of an archive: size zeros, or a link.
type member struct {
	name, link string
	kind       byte // of a tar; 0: a file
	size       int64
	data       []byte
}

func tarOf(packed bool, members ...member) func(string) error {
	return filled(func(f io.Writer) error {
		var z *gzip.Writer
		if packed {
			z, _ = gzip.NewWriterLevel(f, gzip.BestSpeed)
			f = z
		}
		w := tar.NewWriter(f)
		for _, m := range members {
			h := &tar.Header{Name: m.name, Linkname: m.link, Typeflag: m.kind, Size: m.size + int64(len(m.data)), Mode: 0o666}
			if m.kind == 0 {
				h.Typeflag = tar.TypeReg
			}
			if err := w.WriteHeader(h); err != nil {
				return err
			}
			w.Write(m.data)
			if _, err := io.Copy(w, zeros(m.size)); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil || z == nil {
			return err
		}
		return z.Close()
	})
}

func zipOf(members ...member) func(string) error {
	return filled(func(f io.Writer) error {
		z := zip.NewWriter(f)
		for _, m := range members {
			h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
			if m.link != "" {
				h.SetMode(os.ModeSymlink | 0o777)
				m.data = []byte(m.link)
			}
			w, err := z.CreateHeader(h)
			if err != nil {
				return err
			}
			w.Write(m.data)
			if _, err := io.Copy(w, zeros(m.size)); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// npyHead is the head of an array of bytes.
func npyHead(shape string) []byte {
	dict := fmt.Sprintf("%-117s\n", "{'descr': '|u1', 'fortran_order': False, 'shape': ("+shape+"), }")
	return append([]byte("\x93NUMPY\x01\x00\x76\x00"), dict...)
}

func idxHead(dims ...uint32) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return b
}

func archives() []bomb {
	const gib = 1 << 30
	pair := func(name string, images func(string) error) func(string) error { // with labels beside it
		return func(path string) error {
			if err := os.Mkdir(path, 0o777); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(path, "train-labels-idx1-ubyte"), append(idxHead(1), 1), 0o666); err != nil {
				return err
			}
			return images(filepath.Join(path, name))
		}
	}
	bombs := func(name, says string, make func(string) error) bomb {
		return bomb{group: "gzip, tar, zip and npz bombs", name: name, make: make, takes: ofData, says: says}
	}
	escapes := func(name, says string, make func(string) error) bomb {
		return bomb{group: "archives that lead elsewhere", name: name, make: make, takes: ofData, says: says}
	}
	named := func(name string, make func(string) error) bomb { // names mean places in the archive, and nothing is unpacked
		return bomb{group: "archives that lead elsewhere", name: name, make: make, takes: each("data list FILE")}
	}
	lead := func(kind byte) []member {
		return []member{{name: "train/a/link.png", link: "/etc/passwd", kind: kind}, {name: "train/a/up.png", link: "../../../../good.png", kind: kind}}
	}
	return []bomb{
		bombs("idx", "at most", pair("train-images-idx3-ubyte.gz", gzipped(idxHead(4_000_000, 28, 28), 300<<20))),
		bombs("claims", "at most|got|want", pair("train-images-idx3-ubyte", written(func() []byte { return idxHead(1<<31, 1<<15, 1<<15) }))),
		bombs("bomb.tar.gz", "at most", tarOf(true, member{name: "a/b.png", size: 2 * gib})),
		bombs("member.tar.gz", "at most", tarOf(true, member{name: "readme", size: 4 * gib})),
		bombs("bomb.zip", "at most", zipOf(member{name: "a/b.png", size: 2 * gib})),
		bombs("many.tar.gz", "at most", tarOf(true, many(200, member{name: "a/%d.bmp", size: 60 << 20})...)),
		bombs("many.zip", "at most", zipOf(many(200, member{name: "a/%d.bmp", size: 60 << 20})...)),
		bombs("bomb.npz", "at most", zipOf(member{name: "images.npy", data: npyHead("2000000, 32, 32"), size: 2000000 * 1024}, member{name: "labels.npy", data: npyHead("2000000,"), size: 2000000})),
		bombs("overflow.npz", "too large|at most|only", zipOf(member{name: "images.npy", data: npyHead("4294967296, 4294967296, 3")}, member{name: "labels.npy", data: npyHead("1,"), size: 1})),
		bombs("labels.npz", "class numbers", zipOf(member{name: "images.npy", data: npyHead("1, 8, 8"), size: 64},
			member{name: "labels.npy", data: slices.Concat(bytes.Replace(npyHead("1,"), []byte("'|u1'"), []byte("'<u4'"), 1), []byte{0, 0, 15, 0})})),
		bombs("pickle", "operations|pickle|at most", func(path string) error {
			if err := os.MkdirAll(filepath.Join(path, "cifar-10-batches-py"), 0o777); err != nil {
				return err
			}
			return filled(func(f io.Writer) error {
				b := append([]byte("\x80\x04"), bytesOf("]\x940", 20<<20)...)
				_, err := f.Write(append(b, "N."...))
				return err
			})(filepath.Join(path, "cifar-10-batches-py", "data_batch_1"))
		}),
		escapes("links.tar", "want CIFAR-10", tarOf(false, lead(tar.TypeSymlink)...)),
		escapes("hard.tar", "want CIFAR-10", tarOf(false, lead(tar.TypeLink)...)),
		escapes("devices.tar", "want CIFAR-10", tarOf(false, member{name: "train/a/zero.png", kind: tar.TypeChar}, member{name: "train/a/pipe.png", kind: tar.TypeFifo})),
		escapes("links.zip", "want CIFAR-10", zipOf(lead(0)...)),
		named("names.tar", tarOf(false, member{name: "/tmp/viz-escape/a/x.png", data: []byte("x")}, member{name: "../../a/y.png", data: []byte("y")})),
		named("names.zip", zipOf(member{name: "/tmp/viz-escape/a/x.png", data: []byte("x")}, member{name: `..\..\a\y.png`, data: []byte("y")})),
		escapes("pipe.tar", "got a p|plain file|want a file", pipe),
		escapes("zero.tar", "got a|plain file|want a file", linkTo("/dev/zero")),
	}
}

func many(n int, m member) (out []member) {
	for i := range n {
		one := m
		one.name = fmt.Sprintf(m.name, i)
		out = append(out, one)
	}
	return out
}

func bytesOf(s string, n int) []byte {
	b := make([]byte, 0, n)
	for len(b)+len(s) <= n {
		b = append(b, s...)
	}
	return b
}
