package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/internal/campaign/calls"
)

// node is a file or a folder: what is there now, what is on the disk, and what was not synced. A folder's entries are
// nodes by name.
type node struct {
	now, disk       []byte
	entries, onDisk map[string]*node // nil: a file
	unsynced        []change
}

// change is one that was not synced: of a file's bytes, or of a folder's entries.
type change struct {
	at   int64
	data []byte
	size int64 // the file gets this length, if data is nil

	gone  string // the entry that goes
	name  string // the entry that comes
	entry *node
}

// file is an open file.
type file struct {
	node *node
	at   int64
	end  bool // it is written at its end
}

// disk is a folder with what a program did to it.
type disk struct {
	top  *node
	open map[int]*file
}

// read makes a disk of a folder, on which everything is synced.
func read(root string) (*disk, error) {
	top, err := load(root)
	return &disk{top: top, open: map[int]*file{}}, err
}

func load(path string) (*node, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, syscall.ENOTDIR) {
		b, err := os.ReadFile(path)
		return &node{now: b, disk: b}, err
	}
	n := &node{entries: map[string]*node{}}
	for _, e := range entries {
		if n.entries[e.Name()], err = load(filepath.Join(path, e.Name())); err != nil {
			return nil, err
		}
	}
	n.onDisk = maps.Clone(n.entries)
	return n, err
}

// find is what has a path now, and its folder.
func (d *disk) find(path string) (n, folder *node, name string, err error) {
	n = d.top
	for part := range strings.SplitSeq(path, "/") {
		if part == "." {
			continue
		}
		if n == nil || n.entries == nil {
			return nil, nil, "", fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		folder, name, n = n, part, n.entries[part]
	}
	return n, folder, name, nil
}

// do repeats a call that gave result.
func (d *disk) do(c calls.Call, result int64) error {
	if result < 0 {
		return nil
	}
	f := d.open[c.FD]
	switch c.Name {
	case "openat":
		return d.opened(c, int(result))
	case "close":
		delete(d.open, c.FD)
	case "read":
		if f != nil {
			f.at += result
		}
	case "lseek":
		if f != nil {
			f.at = result
		}
	case "write", "pwrite64", "ftruncate", "fsync", "fdatasync":
		if c.Path == campaign.Stdout {
			return nil
		}
		if f == nil {
			return fmt.Errorf("%s was not opened", c.Path)
		}
		return f.do(c, result)
	case "mkdirat", "unlinkat", "renameat", "renameat2":
		return d.named(c)
	case "fstat", "newfstatat", "flock", "getdents64", "pread64", "readlinkat", "faccessat", "faccessat2", "statx", "fchmod", "fchmodat":
	default:
		return fmt.Errorf("a call that is not known here: %s", c.Name)
	}
	return nil
}

func (d *disk) opened(c calls.Call, fd int) error {
	n, folder, name, err := d.find(c.Path)
	if err != nil {
		return err
	}
	if n == nil {
		if n = new(node); c.Flags&syscall.O_CREAT == 0 {
			return fmt.Errorf("%s is not here", c.Path)
		}
		folder.set(change{name: name, entry: n})
	}
	if c.Flags&syscall.O_TRUNC != 0 && len(n.now) > 0 {
		n.write(change{size: 0})
	}
	d.open[fd] = &file{node: n, end: c.Flags&syscall.O_APPEND != 0}
	return nil
}

// do is a call on an open file.
func (f *file) do(c calls.Call, result int64) error {
	n := f.node
	switch c.Name {
	case "write":
		if f.end {
			f.at = int64(len(n.now))
		}
		n.write(change{at: f.at, data: c.Data[:result]})
		f.at += result
	case "pwrite64":
		n.write(change{at: c.Offset, data: c.Data[:result]})
	case "ftruncate":
		n.write(change{size: c.Size})
	default:
		n.unsynced = nil
		n.disk, n.onDisk = n.now, maps.Clone(n.entries)
	}
	return nil
}

// named is a call that changes the entries of a folder.
func (d *disk) named(c calls.Call) error {
	n, folder, name, err := d.find(c.Path)
	if err != nil {
		return err
	}
	switch c.Name {
	case "mkdirat":
		folder.set(change{name: name, entry: &node{entries: map[string]*node{}, onDisk: map[string]*node{}}})
	case "unlinkat":
		folder.set(change{gone: name})
	default:
		_, other, to, err := d.find(c.To)
		if err != nil {
			return err
		}
		if other != folder {
			return fmt.Errorf("%s goes to another folder: that is not known here", c.Path)
		}
		folder.set(change{gone: name, name: to, entry: n})
	}
	return nil
}

func (n *node) write(c change) {
	n.now = c.apply(n.now)
	n.unsynced = append(n.unsynced, c)
}

func (n *node) set(c change) {
	c.enter(n.entries)
	n.unsynced = append(n.unsynced, c)
}

// apply is a file after a change.
func (c change) apply(b []byte) []byte {
	size := c.size
	if c.data != nil {
		size = max(int64(len(b)), c.at+int64(len(c.data)))
	}
	out := make([]byte, size)
	copy(out, b)
	copy(out[min(c.at, size):], c.data)
	return out
}

// enter changes the entries of a folder.
func (c change) enter(entries map[string]*node) {
	delete(entries, c.gone)
	if c.entry != nil {
		entries[c.name] = c.entry
	}
}

// lose writes to a folder what a loss of power leaves: all that was synced, and of the rest what r draws.
func (d *disk) lose(r *rand.Rand, to string) error { return d.top.lose(r, to) }

func (n *node) lose(r *rand.Rand, to string) error {
	if n.entries == nil {
		return os.WriteFile(to, n.left(r), 0o666)
	}
	entries := maps.Clone(n.onDisk)
	for _, c := range drawn(r, n.unsynced) {
		c.enter(entries)
	}
	if err := os.Mkdir(to, 0o777); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if err := entries[name].lose(r, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// left is what is left of a file: some changes are lost, some torn, and of some only the length has come to the disk.
func (n *node) left(r *rand.Rand) []byte {
	b := n.disk
	for _, c := range drawn(r, n.unsynced) {
		if c.data != nil && r.IntN(2) == 0 {
			c.data = slices.Clone(c.data)
			torn := r.IntN(len(c.data) + 1)
			if r.IntN(2) == 0 {
				c.data = c.data[:torn]
			} else {
				clear(c.data[torn:])
			}
		}
		b = c.apply(b)
	}
	return b
}

// drawn are the changes that come to the disk: all, none, the first ones, or any.
func drawn(r *rand.Rand, all []change) []change {
	if len(all) == 0 {
		return nil
	}
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		return all
	case 2:
		return all[:r.IntN(len(all)+1)]
	}
	return slices.DeleteFunc(slices.Clone(all), func(change) bool { return r.IntN(2) == 0 })
}
