package maximize

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A saved run is: the line magic; the hash of the network, the goals and the options;
// the number of steps done; for every goal begun and every start its arrays, each with
// its length; a CRC-32 of all before. Numbers are little-endian.
const magic = "viz maximize 1\n"

// ErrOther says that a saved run is of another network, or of other goals or options.
var ErrOther = errors.New("the saved run is of another network, or of other goals or options")

// key is the hash of all that the pictures depend on.
func (r *Run) key() [32]byte {
	o := r.o
	o.Memory, o.Progress = 0, nil
	text := fmt.Sprintf("%s %s %d %g %d %d %t %d %g %g %g %g %g %g %d", r.hash, o.Paint, o.Steps, o.Rate, o.Starts, o.Seed, o.PlainColours,
		*o.Jitter, *o.Zoom, *o.Turn, *o.L2, *o.Variation, o.Blur, o.Diversity, o.Frames)
	for _, g := range r.goals {
		text += fmt.Sprintf("\n%q %d", g.Layer, g.Channel)
		if g.At != nil {
			text += fmt.Sprint(" at ", *g.At)
		}
		if c := g.Class; c != nil {
			text += fmt.Sprint(" class ", c.Class)
			if c.At != nil {
				text += fmt.Sprint(" at ", *c.At)
			}
		}
	}
	return sha256.Sum256([]byte(text))
}

// Save writes how far the run is.
func (r *Run) Save(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(magic)
	key := r.key()
	b.Write(key[:])
	whole := func(n int) { b.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
	array := func(a []float32) {
		whole(len(a))
		for _, v := range a {
			b.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
	}
	whole(r.done)
	for _, s := range r.state {
		for _, p := range s.starts {
			array(p.numbers)
			array(p.m)
			array(p.v)
			array(p.values)
			b.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(p.final)))
			whole(len(p.frames))
			for _, f := range p.frames {
				array(f)
			}
		}
	}
	b.Write(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(b.Bytes())))
	_, err := w.Write(b.Bytes())
	return err
}

// Restore makes the run go on where a saved one was. On an error the run is as before.
func (r *Run) Restore(from io.Reader) error {
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	n := len(text) - 4
	if n < len(magic)+40 || string(text[:len(magic)]) != magic || crc32.ChecksumIEEE(text[:n]) != binary.LittleEndian.Uint32(text[n:]) {
		return errors.New("this is no saved run of viz maximize, or it is damaged")
	}
	in := &reader{text: text[len(magic):n]}
	if key := r.key(); !bytes.Equal(in.take(32), key[:]) {
		return ErrOther
	}
	done := in.whole(r.Total())
	goals := make([]*state, len(r.goals))
	for i := range goals {
		goals[i] = &state{}
		if i*r.o.Steps >= done {
			continue
		}
		finished := (i+1)*r.o.Steps <= done
		for range r.o.Starts {
			s := &start{numbers: in.array(r.canvas.size()), m: in.array(r.canvas.size()), v: in.array(r.canvas.size()), values: in.array(r.o.Steps)}
			s.final = math.Float64frombits(uint64(in.number()))
			for range in.whole(r.o.Frames) {
				s.frames = append(s.frames, in.array(r.net.Input.Shape().Len()))
			}
			if len(s.numbers) != r.canvas.size() || len(s.values) != min(done-i*r.o.Steps, r.o.Steps) || !finished && (len(s.m) != len(s.numbers) || len(s.v) != len(s.m)) {
				in.bad = true
			}
			goals[i].starts = append(goals[i].starts, s)
		}
	}
	if in.bad || len(in.text) > 0 {
		return errors.New("the saved run is damaged")
	}
	r.done, r.state = done, goals
	return nil
}

// reader takes a saved run apart. After something that cannot be it gives zeros.
type reader struct {
	text []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.text) {
		r.bad = true
		return make([]byte, min(n, 32))
	}
	out := r.text[:n]
	r.text = r.text[n:]
	return out
}

func (r *reader) number() int64 { return int64(binary.LittleEndian.Uint64(r.take(8))) }

// whole is a number from 0 to most.
func (r *reader) whole(most int) int {
	n := r.number()
	if n < 0 || n > int64(most) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) array(most int) []float32 {
	n := r.whole(most)
	data := r.take(4 * n)
	if r.bad || n == 0 {
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}
